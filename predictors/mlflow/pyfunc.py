"""Any MLflow model by its flavor python_function: a data frame or an array in, anything out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import mlflow.pyfunc
import numpy as np
import pandas
from mlflow.exceptions import MlflowException

from predictors.mlflow.mlmodel import MLmodel
from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.model import Model
from predictors.serving.policy import Policy
from predictors.serving.tensors import DATATYPES, Tensor, TensorSpec
from predictors.tabular.estimator import refusal
from predictors.tabular.files import why_unreadable

__all__ = ["PyfuncModel"]


class PyfuncModel(Model):
    """Columns of the signature, or of the request without one, are those of the data frame.

    The output is ``predict``; of a data frame or a dict, one output per column.
    """

    platform: ClassVar[str] = "mlflow"

    def __init__(self, name: str, described: MLmodel, policy: Policy) -> None:
        super().__init__(name)
        self._described = described
        self._policy = policy

    def load(self) -> None:
        """Load it by MLflow. Raises `ModelLoadError`."""
        folder = str(self._described.folder)
        self._policy.check("an MLflow python_function", folder, self.name)
        try:
            self._function = mlflow.pyfunc.load_model(folder)
        except Exception as error:
            raise ModelLoadError(f"{folder} cannot be loaded: {why_unreadable(error)}") from error
        self.inputs = self._described.inputs or (TensorSpec("input", "FP64", (-1, -1)),)
        self.outputs = self._described.outputs or (TensorSpec("predict", "FP64", (-1, -1)),)

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Call the function. Raises `InvalidInputError`."""
        try:
            result = self._function.predict(self._argument(inputs))
        except (MlflowException, ValueError, TypeError) as error:
            raise refusal(self.name, error) from error
        outputs = _tensors(result)
        if not wanted:
            return outputs
        named = {output.name: output for output in outputs}
        for name in wanted:
            if name not in named:
                raise InvalidInputError(
                    f"Model {self.name} has no output {name}. It has: {', '.join(named)}."
                )
        return [named[name] for name in wanted]

    def _argument(self, inputs: Sequence[Tensor]) -> Any:
        if self._described.tensors:
            if len(self.inputs) == 1 and len(inputs) == 1:
                return _cast(inputs[0], self.inputs[0])
            specs = {spec.name: spec for spec in self.inputs}
            return {t.name: _cast(t, specs[t.name]) if t.name in specs else t.array for t in inputs}
        columns = self._columns(inputs)
        types = {spec.name: spec for spec in self._described.inputs}
        return pandas.DataFrame(
            {
                tensor.name: _cast(tensor, types[tensor.name])
                if tensor.name in types
                else tensor.array
                for tensor in columns
            }
        )

    def _columns(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """One tensor of one dimension per column; of a matrix, its columns in order."""
        if len(inputs) > 1 or inputs[0].array.ndim < 2 or inputs[0].array.shape[1] == 1:
            return [Tensor(tensor.name, _flat(tensor)) for tensor in inputs]
        array = inputs[0].array
        described = self._described.inputs
        names = [s.name for s in described] or [str(n) for n in range(array.shape[1])]
        if array.ndim != 2 or array.shape[1] != len(names):
            raise InvalidInputError(
                f"Model {self.name} expects {len(names)} values per row, got {array.shape[-1]}."
            )
        return [Tensor(name, array[:, n]) for n, name in enumerate(names)]


def _flat(tensor: Tensor) -> Any:
    if tensor.array.ndim > 2 or (tensor.array.ndim == 2 and tensor.array.shape[1] != 1):
        raise InvalidInputError(f"Column {tensor.name} must have one value per row.")
    return tensor.array.reshape(-1)


def _cast(tensor: Tensor, spec: TensorSpec) -> Any:
    """The array in the signature's type where that keeps every value; else MLflow judges."""
    dtype = DATATYPES[spec.datatype]
    array = tensor.array
    if array.dtype == dtype or dtype.kind == "O" or array.dtype.kind not in "biuf":
        return array
    cast = array.astype(dtype)
    return cast if dtype.kind == "f" or np.array_equal(cast, array) else array


def _tensors(result: Any) -> list[Tensor]:
    if isinstance(result, pandas.DataFrame):
        return [Tensor(str(name), result[name].to_numpy()) for name in result.columns]
    if isinstance(result, dict):
        return [Tensor(str(name), np.asarray(value)) for name, value in result.items()]
    array = np.asarray(result.toarray() if hasattr(result, "toarray") else result)
    return [Tensor("predict", array.reshape(1) if array.ndim == 0 else array)]
