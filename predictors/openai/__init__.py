"""OpenAI's HTTP protocol on the model server: models, completions, chat, embeddings, rerank.

Belongs here: paths, bodies, errors and events as OpenAI's clients expect them. Does not: anything
of a framework; models give the abilities of `abilities`.
"""
