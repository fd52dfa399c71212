"""What models written for KServe import; see README.md of predictors.custom for what is here."""

from .constants import constants
from .errors import InferenceError, InvalidInput
from .logging import logger
from .model import InferenceVerb, Model
from .model_server import ModelServer
from .protocol.infer_type import InferInput, InferOutput, InferRequest, InferResponse
from .utils import utils

__all__ = [
    "InferInput",
    "InferOutput",
    "InferRequest",
    "InferResponse",
    "InferenceError",
    "InferenceVerb",
    "InvalidInput",
    "Model",
    "ModelServer",
    "constants",
    "logger",
    "utils",
]
