"""An ONNX graph as a `Model`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from predictors.onnx.session import open_session
from predictors.onnx.types import dtype_of, spec_of
from predictors.serving.errors import InvalidInputError
from predictors.serving.model import Model
from predictors.serving.tensors import Array, Tensor

__all__ = ["OnnxModel"]


class OnnxModel(Model):
    """Inputs and outputs are the graph's; all outputs are answered when none is asked for.

    One input takes a tensor of any name. Values are cast to the graph's types where nothing but
    precision is lost by it.
    """

    platform: ClassVar[str] = "onnx"
    gil_free = True

    def __init__(self, name: str, file: Path, *, threads: int) -> None:
        super().__init__(name)
        self._file = file
        self._threads = threads

    def load(self) -> None:
        """Open a session and read the signature. Raises `ModelLoadError`."""
        session = open_session(self._file, threads=self._threads)
        nodes = session.get_inputs()
        self._dtypes = {node.name: dtype_of(node.type) for node in nodes}
        self._ranks = {node.name: len(node.shape or ()) for node in nodes}
        self.inputs = tuple(spec_of(node) for node in nodes)
        self.outputs = tuple(spec_of(node) for node in session.get_outputs())
        self._offered = tuple(spec.name for spec in self.outputs)
        every = (*self.inputs, *self.outputs)
        self.batchable = all(spec.shape and spec.shape[0] == -1 for spec in every)
        self.metadata_extra = {"providers": session.get_providers()}
        self._session = session

    def unload(self) -> None:
        """Let the session go, with its threads."""
        self._session = None

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Run the graph. Raises `InvalidInputError`."""
        for name in wanted:
            if name not in self._offered:
                raise InvalidInputError(
                    f"Model {self.name} has no output {name}. It has: {', '.join(self._offered)}."
                )
        names = list(wanted) or list(self._offered)
        feeds = self._feeds(inputs)
        try:
            values = self._session.run(names, feeds)
        except Exception as error:
            # A size that the graph's operators refuse is the client's; the rest is a failure.
            if type(error).__name__ in ("InvalidArgument", "RuntimeException"):
                reason = str(error).splitlines()[0]
                raise InvalidInputError(f"Model {self.name} refused the input: {reason}") from error
            raise
        return [Tensor(n, _flattened(value)) for n, value in zip(names, values, strict=True)]

    def _feeds(self, inputs: Sequence[Tensor]) -> dict[str, Array]:
        dtypes = self._dtypes
        if len(dtypes) == 1 and len(inputs) == 1:
            [name] = dtypes
            return {name: self._cast(name, inputs[0].array)}
        given = {tensor.name: tensor.array for tensor in inputs}
        if given.keys() != dtypes.keys() or len(given) != len(inputs):
            raise InvalidInputError(
                f"Model {self.name} takes the inputs {', '.join(dtypes)}; "
                f"given: {', '.join(tensor.name for tensor in inputs)}."
            )
        return {name: self._cast(name, given[name]) for name in dtypes}

    def _cast(self, name: str, array: Array) -> Array:
        dtype = self._dtypes[name]
        if array.ndim == 1 and self._ranks[name] == 2:
            array = array.reshape(-1, 1)
        if array.dtype == dtype:
            return array
        if dtype.kind == "f" and array.dtype.kind in "biuf":
            with np.errstate(over="ignore"):
                return array.astype(dtype)
        try:
            cast: Array = array.astype(dtype)
        except (ValueError, TypeError, OverflowError):
            cast = np.empty(0)
        strange = dtype.kind == "O" and array.dtype.kind not in "OUS"
        if strange or not np.array_equal(cast, array):
            raise InvalidInputError(
                f"Input {name} of model {self.name} holds {dtype} values; got {array.dtype} "
                "values that are none."
            )
        return cast


def _flattened(value: Any) -> Array:
    """An output as an array: of a list of maps, the values in the order of their keys."""
    if isinstance(value, dict):
        value = [value]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        # Converters of classifiers write the maps' keys in the order of classes_; ONNX's maps of
        # probabilities hold FP32, which Python widened.
        return np.array([list(row.values()) for row in value], np.float32)
    return np.asarray(value)
