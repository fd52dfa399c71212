"""The messages of V2 over gRPC, for annotations of models that name them."""

from predictors.serving.grpc.messages import ModelInferRequest, ModelInferResponse

__all__ = ["ModelInferRequest", "ModelInferResponse"]
