# mypy: ignore-errors
"""A model written for KServe: nothing in it knows Rouse."""

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.errors import InvalidInput
from kserve.logging import logger
from kserve.utils.utils import generate_uuid


class MeanModel(Model):
    def __init__(self, name: str):
        super().__init__(name)
        self.load()

    def load(self) -> bool:
        self.scale = 2.0
        self.ready = True
        return self.ready

    async def preprocess(
        self, payload: dict | InferRequest, headers: dict[str, str] | None = None
    ) -> dict | InferRequest:
        if isinstance(payload, dict) and "instances" not in payload:
            raise InvalidInput('the body must have "instances"')
        return payload

    def predict(
        self, payload: dict | InferRequest, headers: dict[str, str] | None = None
    ) -> dict | InferResponse:
        if isinstance(payload, InferRequest):
            rows = payload.inputs[0].as_numpy()
            means = rows.mean(axis=1, dtype=np.float64) * self.scale
            output = InferOutput("means", list(means.shape), "FP64")
            output.set_data_from_numpy(means, binary_data=False)
            return InferResponse(payload.id or generate_uuid(), self.name, [output])
        rows = np.array(payload["instances"], dtype=np.float64)
        logger.info("%d rows", len(rows))
        return {"predictions": (rows.mean(axis=1) * self.scale).tolist()}

    async def explain(self, payload: dict, headers: dict[str, str] | None = None) -> dict:
        return {"explanations": ["twice the mean"] * len(payload["instances"])}


if __name__ == "__main__":
    ModelServer().start([MeanModel("means")])
