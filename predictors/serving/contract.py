"""Requests held against a model's signature before the model sees them.

`check` is compiled once per model and costs about a microsecond for a request that fits as it is.
A request that fits after a cast which keeps every value, or in another order, is brought into the
form of the signature; any other is refused with the field named. What the signature does not say
is left to the model: rows of strings and numbers, a matrix for inputs that are columns.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest
from predictors.serving.model import Model
from predictors.serving.tensors import DATATYPES, Array, Tensor, TensorSpec, datatype_of

__all__ = ["Contract", "check"]

_BARE: Final = frozenset({"instances", "inputs"})
"""What V1 rows are called, for want of a name."""

_contracts: WeakKeyDictionary[Model, Contract] = WeakKeyDictionary()


def check(model: Model, request: InferenceRequest) -> None:
    """Hold `request` against `model`'s signature; its inputs become the signature's datatypes.

    Raises `InvalidInputError` naming the field that does not fit.
    """
    contract = _contracts.get(model)
    if contract is None or contract.inputs is not model.inputs:
        contract = _contracts[model] = Contract(model)
    contract.check(request)


class Contract:
    """The compiled signature of one model."""

    def __init__(self, model: Model) -> None:
        self.inputs = model.inputs
        self._model = model.name
        self._specs = {spec.name: spec for spec in model.inputs}
        self._outputs = frozenset(spec.name for spec in model.outputs)
        self._only = model.inputs[0] if len(model.inputs) == 1 else None
        self._dtype = _dtype_of(self._only) if self._only is not None else None
        self._rank = len(self._only.shape) if self._only is not None else 0
        self._fixed: tuple[tuple[int, int], ...] = ()
        if self._only is not None:
            sizes = enumerate(self._only.shape)
            self._fixed = tuple((axis, size) for axis, size in sizes if size >= 0)
        self._columns = all(spec.shape in ((-1, 1), (-1,)) for spec in model.inputs)

    def check(self, request: InferenceRequest) -> None:
        """As the function `check`."""
        if request.outputs:
            self._check_outputs(request)
        inputs = request.inputs
        if not self.inputs or (request.payload is not None and not inputs):
            return
        only = self._only
        if only is None:
            request.inputs = self._several(inputs, request.rows)
        elif len(inputs) == 1:
            array = inputs[0].array
            if array.dtype is not self._dtype or not self._fits(array):
                self._check_lone_column(inputs, only, request.rows)
                label = _label(inputs[0], 0, request.rows)
                request.inputs = [self._fitted(inputs[0], only, label)]
        elif names := (only.parameters or {}).get("feature_names"):
            self._check_names(inputs, names, request.rows)

    def _fits(self, array: Array) -> bool:
        shape = array.shape
        if len(shape) != self._rank:
            return False
        for axis, size in self._fixed:  # noqa: SIM110 - a generator costs half a microsecond
            if shape[axis] != size:
                return False
        return True

    def _check_outputs(self, request: InferenceRequest) -> None:
        for index, output in enumerate(request.outputs):
            if self._outputs and output.name not in self._outputs:
                raise InvalidInputError(
                    f"outputs[{index}].name: model {self._model} has no output {output.name}"
                    f"{_nearest(output.name, self._outputs)}. It has: "
                    f"{', '.join(sorted(self._outputs))}."
                )

    def _several(self, inputs: Sequence[Tensor], rows: str) -> Sequence[Tensor]:
        """The inputs in the signature's order. A matrix for columns is left to the model."""
        if len(inputs) == 1 and self._columns and inputs[0].name not in self._specs:
            array = inputs[0].array
            if array.ndim == 2 and array.shape[1] == len(self.inputs):
                return inputs
            if inputs[0].name in _BARE:
                raise InvalidInputError(self._wrong_width(inputs[0]))
        self._check_names(inputs, [spec.name for spec in self.inputs], rows)
        by_name = {tensor.name: (index, tensor) for index, tensor in enumerate(inputs)}
        fitted = []
        for spec in self.inputs:
            index, tensor = by_name[spec.name]
            fitted.append(self._fitted(tensor, spec, _label(tensor, index, rows)))
        return fitted

    def _wrong_width(self, rows: Tensor) -> str:
        """What is wrong with V1 rows of a model whose inputs are columns."""
        names = _listed([spec.name for spec in self.inputs])
        has = "single values" if rows.array.ndim == 1 else f"rows of shape {rows.array.shape[1:]}"
        if rows.array.ndim == 2:
            has = f"{rows.array.shape[1]}"
        return (
            f"Model {self._model} expects {len(self.inputs)} values per row ({names}), "
            f"{rows.name} has {has}."
        )

    def _check_lone_column(self, inputs: Sequence[Tensor], only: TensorSpec, rows: str) -> None:
        """Rows that are objects of one name are no matrix that lacks columns."""
        if not rows or inputs[0].name in _BARE or self._rank != 2 or only.shape[1] < 2:
            return
        names = (only.parameters or {}).get("feature_names")
        if names:
            self._check_names(inputs, names, rows)
        raise InvalidInputError(
            f"{rows}[0] must be a list of {only.shape[1]} values: model {self._model} knows no "
            f"names of columns, such as {inputs[0].name}."
        )

    def _check_names(self, inputs: Sequence[Tensor], names: Sequence[str], rows: str) -> None:
        given = [tensor.name for tensor in inputs]
        for index, name in enumerate(given):
            where = f"{rows}[0].{name}" if rows else f"inputs[{index}]"
            if name not in names:
                raise InvalidInputError(
                    f"{where}: model {self._model} has no input {name}"
                    f"{_nearest(name, names)}. It takes: {_listed(names)}."
                )
            if name in given[:index]:
                raise InvalidInputError(f"{where}: {name} comes twice.")
        missing = [name for name in names if name not in given]
        if missing:
            raise InvalidInputError(
                f"{f'{rows}[0]' if rows else 'inputs'}: model {self._model} needs "
                f"{_listed(missing)} as well; given: {_listed(given)}."
            )

    def _fitted(self, tensor: Tensor, spec: TensorSpec, label: str) -> Tensor:
        array = self._shaped(tensor.array, spec, label)
        dtype = _dtype_of(spec)
        if dtype is not None and array.dtype is not dtype:
            array = self._cast(array, spec, dtype, label)
        return tensor if array is tensor.array else tensor._replace(array=array)

    def _shaped(self, array: Array, spec: TensorSpec, label: str) -> Array:
        wanted, given = spec.shape, array.shape
        if not wanted:
            return array
        if len(given) != len(wanted):
            if wanted == (-1, 1) and len(given) == 1:
                return array.reshape(-1, 1)
            if len(wanted) == 1 and len(given) == 2 and given[1] == 1:
                return self._shaped(array.reshape(-1), spec, label)
            raise InvalidInputError(self._misshaped(given, spec, label))
        for size, has in zip(wanted, given, strict=True):
            if size not in (-1, has):
                raise InvalidInputError(self._misshaped(given, spec, label))
        return array

    def _misshaped(self, given: tuple[int, ...], spec: TensorSpec, label: str) -> str:
        names = (spec.parameters or {}).get("feature_names") or ()
        told = f" ({_listed(names)})" if names else ""
        if len(given) == len(spec.shape) == 2 and spec.shape[0] in (-1, given[0]):
            return (
                f"Model {self._model} expects {spec.shape[1]} values per row{told}, "
                f"{label} has {given[1]}."
            )
        return (
            f"Model {self._model} expects {label} of shape {list(spec.shape)}{told}, "
            f"got {list(given)}."
        )

    def _cast(
        self, array: Array, spec: TensorSpec, dtype: np.dtype[np.generic], label: str
    ) -> Array:
        """`array` as `dtype` where no value is lost; floats may be rounded to a smaller float."""
        if array.dtype.kind not in "biuf" or dtype.kind == "O":
            if _left_to_the_model(array, dtype):
                return array
            raise InvalidInputError(
                f"{label}: model {self._model} takes {spec.datatype}, "
                f"got {datatype_of(array.dtype)}."
            )
        if np.can_cast(array.dtype, dtype):
            return array.astype(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            cast: Array = array.astype(dtype)
            kept = np.isfinite(cast) | ~np.isfinite(array) if dtype.kind == "f" else cast == array
        if not kept.all():
            row = int(np.argwhere(~kept)[0][0])
            raise InvalidInputError(
                f"{_at(label, row)} has {datatype_of(array.dtype)} values that {spec.datatype}, "
                f"which model {self._model} takes, cannot hold."
            )
        return cast


def _dtype_of(spec: TensorSpec) -> np.dtype[np.generic] | None:
    """The dtype arrays should have; None where a signature leaves it open."""
    if (spec.parameters or {}).get("mixed"):
        return None
    return DATATYPES.get(spec.datatype)


def _left_to_the_model(array: Array, dtype: np.dtype[np.generic]) -> bool:
    """Whether strings and numbers are mixed, or numbers are given for BYTES without more said."""
    if dtype.kind == "O":
        return True
    return array.dtype.kind == "O" and bool(set(map(type, array.flat)) - {str, bytes})


def _label(tensor: Tensor, index: int, rows: str) -> str:
    """What a tensor is called; columns that were rows of objects, by the first of them."""
    if tensor.name in _BARE:
        return tensor.name
    return f"{rows}[0].{tensor.name}" if rows else f"inputs[{index}] ({tensor.name})"


def _at(label: str, row: int) -> str:
    """The label of a column of V1 rows, at another row than the first."""
    for field in _BARE:
        if label.startswith(f"{field}[0]."):
            return label.replace("[0]", f"[{row}]", 1)
    return label


def _nearest(name: str, names: Collection[str]) -> str:
    from difflib import get_close_matches  # only a refusal needs it

    found = get_close_matches(name, names, 1)
    return f" (did you mean {found[0]}?)" if found else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
