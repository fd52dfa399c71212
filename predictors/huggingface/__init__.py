"""Models of Hugging Face: encoders by a fast path of our own, the rest by transformers' pipelines.

Belongs here: reading a model's folder, its task, and answering it. Does not belong here: protocols
(`predictors.serving`, `predictors.openai`) and decoders (`generation`).
"""
