"""Helpers of KServe's models: the input of a payload, the answer of a result."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np

from predictors.serving.codecs import encode_values
from predictors.serving.codecs.plain import array_of
from predictors.serving.tensors import Tensor, datatype_of

from ..errors import InvalidInput  # noqa: TID252 - this package is found as kserve
from ..protocol.infer_type import InferOutput, InferRequest, InferResponse  # noqa: TID252

__all__ = ["generate_uuid", "get_predict_input", "get_predict_response", "strtobool"]


def generate_uuid() -> str:
    """A new request id."""
    return str(uuid.uuid4())


def get_predict_input(payload: Any, columns: list[str] | None = None) -> Any:
    """A payload's rows: an array, a list of text, or a data frame of rows that are objects."""
    if isinstance(payload, InferRequest):
        if (payload.parameters or {}).get("content_type") == "pd":
            return payload.as_dataframe()
        only = payload.inputs[0]
        array = only.as_numpy()
        return array.ravel().tolist() if _is_text(array) else array
    if not isinstance(payload, dict):
        raise InvalidInput(f"unsupported payload type {type(payload)}")
    rows = payload["inputs"] if "inputs" in payload else payload["instances"]
    if rows and (isinstance(rows[0], dict) or _holds_objects(rows[0])):
        import pandas

        flat = [row for each in rows for row in (each if isinstance(each, list) else [each])]
        return pandas.DataFrame(flat, columns=columns)
    return rows if rows and isinstance(rows[0], str) else np.array(rows)


def get_predict_response(payload: Any, result: Any, model_name: str) -> Any:
    """The answer in the payload's protocol: a dict with ``predictions``, or an `InferResponse`."""
    if isinstance(payload, dict):
        if hasattr(result, "to_dict"):
            result = result.to_dict(orient="records")
        elif isinstance(result, np.ndarray):
            result = result.tolist()
        return {"predictions": result}
    if not isinstance(payload, InferRequest):
        raise InvalidInput(f"unsupported payload type {type(payload)}")
    tensors = encode_values(result) or [Tensor("output-0", array_of(result))]
    outputs = [_output(tensor, binary=payload.use_binary_outputs) for tensor in tensors]
    return InferResponse(payload.id or generate_uuid(), model_name, outputs)


def strtobool(val: str) -> bool:
    """The truth a word tells. Raises ValueError for a word that tells none."""
    word = val.lower()
    if word in ("y", "yes", "t", "true", "on", "1"):
        return True
    if word in ("n", "no", "f", "false", "off", "0"):
        return False
    raise ValueError(f"invalid truth value {val!r}")


def _output(tensor: Tensor, *, binary: bool) -> InferOutput:
    array = tensor.array
    output = InferOutput(tensor.name, list(array.shape), datatype_of(array.dtype))
    output.set_data_from_numpy(array, binary_data=binary)
    return output


def _is_text(array: Any) -> bool:
    return array.dtype.kind == "O" and all(isinstance(value, str) for value in array.flat)


def _holds_objects(row: object) -> bool:
    return isinstance(row, list) and bool(row) and isinstance(row[0], dict)
