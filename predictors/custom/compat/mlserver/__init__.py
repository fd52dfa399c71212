"""What models written for MLServer import; see README.md of predictors.custom for what is here."""

from .metrics import log, register
from .model import MLModel
from .settings import ModelParameters, ModelSettings

__all__ = ["MLModel", "ModelParameters", "ModelSettings", "log", "register"]
