"""An MLflow model folder as a `Model`, with MLflow's own endpoint beside V1 and V2."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from predictors.mlflow.flavors import native
from predictors.mlflow.invocations import answer, tensors_of
from predictors.mlflow.mlmodel import MLmodel
from predictors.serving.model import Model
from predictors.serving.policy import Policy
from predictors.serving.routes import HttpAnswer, HttpRequest, Route
from predictors.serving.tensors import Tensor

__all__ = ["MlflowModel"]


class MlflowModel(Model):
    """The model of a fast flavor where there is one, else MLflow's pyfunc."""

    platform: ClassVar[str] = "mlflow"

    def __init__(self, name: str, folder: Path, *, policy: Policy | None = None) -> None:
        super().__init__(name)
        self._folder = folder
        self._policy = policy or Policy()

    def load(self) -> None:
        """Read MLmodel, choose a flavor and load it. Raises `ModelLoadError`."""
        described = MLmodel.read(self._folder)
        inner = native(self.name, described, self._policy)
        if inner is None:
            # MLflow and pandas take a second to import, which the fast flavors do not need.
            from predictors.mlflow.pyfunc import PyfuncModel

            inner = PyfuncModel(self.name, described, self._policy)
        inner.load()
        self._inner = inner
        self.inputs, self.outputs = inner.inputs, inner.outputs
        self.batchable, self.gil_free = inner.batchable, inner.gil_free
        self.metadata_extra = {
            **described.told,
            **inner.metadata_extra,
            "served_by": inner.platform,
        }

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """As the flavor's model. Raises `InvalidInputError`."""
        return self._inner.predict(inputs, wanted)

    def unload(self) -> None:
        """Give back what the flavor's model took."""
        self._inner.unload()

    def routes(self) -> Sequence[Route]:
        """``POST /invocations``, as MLflow's server has it."""
        return (Route("POST", "/invocations", self._invoked),)

    async def _invoked(self, request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(body=await asyncio.to_thread(self._answered, request.body))

    def _answered(self, body: bytes) -> bytes:
        return answer(self.predict(tensors_of(body), ()))
