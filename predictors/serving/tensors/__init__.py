"""Tensors of the Open Inference Protocol: datatypes, JSON and raw bytes to numpy and back.

Numbers are little-endian and in row-major order. What JSON and numpy lack:

- NaN: ``null`` in JSON, both ways, for floating datatypes; raw bytes carry it as it is. An
  infinity in an answer is ``null`` as well; JSON numbers too large for a datatype are refused.
- BF16: float32 arrays, which hold each of its values exactly; the tensor's parameter
  ``datatype: "BF16"`` says that it came, or is to be sent, as such.
- BYTES: object arrays of `str`, or of `bytes` where they are not UTF-8. JSON carries strings; an
  answer with bytes that are not UTF-8 is base64, and its ``content_type`` says so.
"""

from predictors.serving.tensors.datatypes import (
    DATATYPES,
    MAX_DIMENSIONS,
    MAX_VALUES,
    Array,
    Tensor,
    TensorSpec,
    datatype_of,
    declared_datatype,
    text_or_bytes,
)
from predictors.serving.tensors.jsons import checked_shape, decode, encode
from predictors.serving.tensors.raw import decode_raw, encode_raw

__all__ = [
    "DATATYPES",
    "MAX_DIMENSIONS",
    "MAX_VALUES",
    "Array",
    "Tensor",
    "TensorSpec",
    "checked_shape",
    "datatype_of",
    "declared_datatype",
    "decode",
    "decode_raw",
    "encode",
    "encode_raw",
    "text_or_bytes",
]
