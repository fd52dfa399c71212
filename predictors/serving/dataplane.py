"""The data plane under all protocols: which models there are, and running one of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from predictors.serving.errors import (
    InferenceError,
    ModelNotFoundError,
    ModelNotReadyError,
    RequestError,
)
from predictors.serving.model import Model
from predictors.serving.tensors import Tensor

__all__ = ["DataPlane", "infer"]

_log = logging.getLogger(__name__)


class DataPlane:
    """The models of a server, by name. A name is there from the start; `ready` tells the rest."""

    def __init__(self, names: Sequence[str]) -> None:
        self._models: dict[str, Model | None] = dict.fromkeys(names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def publish(self, model: Model) -> None:
        """Make a loaded model answer from now on."""
        model.ready = True
        self._models[model.name] = model

    def ready(self) -> bool:
        """Whether every model of this server answers."""
        return all(model is not None and model.ready for model in self._models.values())

    def get(self, name: str, version: str | None = None) -> Model:
        """The ready model of that name (and version).

        Raises `ModelNotFoundError` or `ModelNotReadyError`.
        """
        try:
            model = self._models[name]
        except KeyError:
            raise ModelNotFoundError(f"Model with name {name} does not exist.") from None
        if model is None or not model.ready:
            raise ModelNotReadyError(f"Model with name {name} is not ready.")
        if version is not None and version != model.version:
            raise ModelNotFoundError(f"Model {name} has no version {version}.")
        return model


def infer(model: Model, inputs: Sequence[Tensor], wanted: Sequence[str] = ()) -> list[Tensor]:
    """Run the model; whatever it raises beyond `RequestError` becomes an `InferenceError`.

    The client is told the kind of failure only; the whole of it is in the log.
    """
    try:
        return model.predict(inputs, wanted)
    except RequestError:
        raise
    except Exception as error:
        _log.exception("model %s failed", model.name)
        raise InferenceError(
            f"Model {model.name} failed with {type(error).__name__}; see the predictor's log."
        ) from error
