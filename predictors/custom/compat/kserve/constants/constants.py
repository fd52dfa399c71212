"""Names that KServe's models compare with."""

from enum import Enum
from typing import Final

__all__ = ["KSERVE_LOGLEVEL", "ModelType", "PredictorProtocol"]

KSERVE_LOGLEVEL: Final = "INFO"


class PredictorProtocol(Enum):
    """The protocols a predictor may speak."""

    REST_V1 = "v1"
    REST_V2 = "v2"
    GRPC_V2 = "grpc-v2"


class ModelType(Enum):
    """What a model is."""

    EXPLAINER = 1
    PREDICTOR = 2
