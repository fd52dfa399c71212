"""Transformers: a server and a library for what comes before and after a model.

A transformer is a class with `preprocess` and `postprocess`; this package runs it on the data plane
of the predictors and calls the predictor for it. Belongs here: the class, the call to the
predictor, and transformers that are ready to use. Does not belong here: models, or anything of the
platform.
"""

from predictors.serving.errors import InvalidInputError, RequestError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.tensors import Tensor
from transformers_pre.cli import main, run
from transformers_pre.transformer import Transformer

__all__ = [
    "InferenceRequest",
    "InferenceResponse",
    "InvalidInputError",
    "RequestError",
    "Tensor",
    "Transformer",
    "main",
    "run",
]
