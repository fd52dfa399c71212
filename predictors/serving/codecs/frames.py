"""Data frames (``pd``): one tensor a column."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import orjson

from predictors.serving.codecs.base import RequestCodec, column
from predictors.serving.codecs.text import Base64Codec, DatetimeCodec, JsonCodec, StringCodec
from predictors.serving.errors import InvalidInputError, UnsupportedError
from predictors.serving.tensors import Tensor

__all__ = ["PandasCodec"]

JSON_COLUMN: Final = "pd_json"
"""The content type of a column whose values are JSON documents."""


class PandasCodec(RequestCodec):
    """A `pandas.DataFrame` whose columns are the tensors, each of shape [n] or [n, 1].

    Columns have their own content types: ``str``, ``base64``, ``datetime``, and ``pd_json`` or
    ``json``. A single matrix becomes numbered columns, or those of its ``feature_names``.
    """

    content_type: ClassVar[str] = "pd"

    def can_encode(self, value: object) -> bool:
        """Data frames."""
        pandas = sys.modules.get("pandas")
        return pandas is not None and isinstance(value, pandas.DataFrame)

    def decode(self, inputs: Sequence[Tensor]) -> Any:
        """The frame. Raises `InvalidInputError` naming the input that is no column."""
        pandas = _pandas()
        if len(inputs) == 1 and inputs[0].array.ndim == 2 and inputs[0].array.shape[1] > 1:
            names = (inputs[0].parameters or {}).get("feature_names")
            if names is not None and len(names) != inputs[0].array.shape[1]:
                raise InvalidInputError(
                    f"{inputs[0].name}: {len(names)} feature_names for "
                    f"{inputs[0].array.shape[1]} columns."
                )
            return pandas.DataFrame(inputs[0].array, columns=names)
        columns = {tensor.name: _column(tensor) for tensor in inputs}
        sizes = {name: len(values) for name, values in columns.items()}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} has {size}" for name, size in list(sizes.items())[:8])
            raise InvalidInputError(f"Columns of a data frame must be of one length: {told}.")
        return pandas.DataFrame(columns)

    def encode(self, value: Any) -> list[Tensor]:
        """One tensor a column; columns of mixed objects are JSON documents."""
        return [_tensor(str(name), value[name]) for name in value.columns]


def _column(tensor: Tensor) -> Any:
    array = tensor.array
    if array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 1):
        raise InvalidInputError(
            f"{tensor.name} has shape {list(array.shape)}; a column of a data frame has one value "
            "a row."
        )
    match (tensor.parameters or {}).get("content_type"):
        case "datetime":
            return DatetimeCodec().decode(tensor)
        case "pd_json" | "json":
            return JsonCodec().decode(tensor)
        case "base64":
            return Base64Codec().decode(tensor)
        case "str":
            return StringCodec().decode(tensor)
    return array.reshape(-1)


def _tensor(name: str, series: Any) -> Tensor:
    kind = series.dtype.kind
    if kind in "biuf" and hasattr(series.dtype, "itemsize") and not series.hasnans:
        return Tensor(name, series.to_numpy())
    if kind in "iuf":
        return Tensor(name, series.to_numpy(dtype="float64", na_value=float("nan")))
    if kind == "M":
        return Tensor(
            name, column(each.isoformat() for each in series), {"content_type": "datetime"}
        )
    values = series.tolist()
    if all(isinstance(value, str) for value in values):
        return Tensor(name, column(values), {"content_type": "str"})
    if all(isinstance(value, bytes) for value in values):
        return Base64Codec().encode(name, values)
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    documents = (orjson.dumps(_plain(each), option=options).decode() for each in values)
    return Tensor(name, column(documents), {"content_type": JSON_COLUMN})


def _plain(value: Any) -> Any:
    """Missing values as null; what JSON lacks as text."""
    if value is None or value is getattr(sys.modules.get("pandas"), "NA", None):
        return None
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _pandas() -> Any:
    try:
        import pandas
    except ModuleNotFoundError:
        raise UnsupportedError(
            "Content type pd needs pandas, which is not installed here (rouse[codecs])."
        ) from None
    return pandas
