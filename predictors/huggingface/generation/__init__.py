"""Text generation: continuous batches of causal models, batches of encoder-decoders, adapters.

Belongs here: how texts are made of a model, by whatever engine. Does not: protocols, which ask by
the abilities of `predictors.openai.abilities`, and tasks that make no text.
"""

from predictors.huggingface.generation.model import GenerationModel
from predictors.huggingface.generation.settings import GenerationSettings

__all__ = ["GenerationModel", "GenerationSettings"]
