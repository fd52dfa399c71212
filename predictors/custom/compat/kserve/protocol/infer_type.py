"""``InferRequest`` and ``InferResponse``: V2's requests and answers with their tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from predictors.serving.tensors import Array, Tensor, datatype_of, decode_raw, encode_raw

from ..errors import InferenceError, InvalidInput  # noqa: TID252 - this package is found as kserve
from ..utils.numpy_codec import to_np_dtype  # noqa: TID252

__all__ = ["InferInput", "InferOutput", "InferRequest", "InferResponse", "RequestedOutput"]


class _Tensor:
    """A named tensor whose data are a list, flat or nested, or an array."""

    def __init__(
        self,
        name: str,
        shape: list[int],
        datatype: str,
        data: Any = None,
        parameters: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.shape = shape
        self.datatype = datatype.upper()
        self.data = data
        self.parameters = parameters
        self._raw_data: bytes | None = None

    def as_numpy(self) -> Array:
        """The data as an array. Raises `InvalidInput` for an unknown datatype."""
        dtype = to_np_dtype(self.datatype)
        if dtype is None:
            raise InvalidInput(f"invalid datatype {self.datatype} in the input")
        if self._raw_data is not None:
            return decode_raw(self.datatype, tuple(self.shape), self._raw_data, self.name)
        return np.array(self.data, dtype=dtype).reshape(self.shape)

    def set_data_from_numpy(self, input_tensor: Array, binary_data: bool = True) -> None:
        """Take an array's values. Raises `InferenceError` if datatype or shape differ."""
        if not isinstance(input_tensor, np.ndarray):
            raise InferenceError("input_tensor must be a numpy array")
        datatype = datatype_of(input_tensor.dtype)
        if datatype != self.datatype:
            raise InferenceError(
                f"got unexpected datatype {datatype} from numpy array, expected {self.datatype}"
            )
        if tuple(self.shape) != input_tensor.shape:
            raise InferenceError(
                f"got unexpected numpy array shape {list(input_tensor.shape)}, "
                f"expected {list(self.shape)}"
            )
        if not binary_data:
            self._raw_data = None
            self.data = [
                value.decode() if isinstance(value, bytes) else value
                for value in input_tensor.ravel().tolist()
            ]
            (self.parameters or {}).pop("binary_data_size", None)
            return
        self.data = None
        self._raw_data = bytes(encode_raw(Tensor(self.name, input_tensor)))
        self.parameters = {**(self.parameters or {}), "binary_data_size": len(self._raw_data)}

    def to_dict(self) -> dict[str, Any]:
        """As V2's JSON has it."""
        return {
            "name": self.name,
            "shape": self.shape,
            "datatype": self.datatype,
            "data": self.data,
            "parameters": self.parameters,
        }

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, type(self))
            and self.to_dict() == other.to_dict()
            and self._raw_data == other._raw_data
        )

    __hash__ = None  # type: ignore[assignment]  # as KServe's: they are changed in place

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_dict()})"


class InferInput(_Tensor):
    """One input of a request."""

    def as_string(self) -> list[str]:
        """The elements of a BYTES input as text, flat. Raises `InvalidInput` for any other."""
        if self.datatype != "BYTES":
            raise InvalidInput(f"invalid datatype {self.datatype} in the input")
        rows = self.as_numpy().ravel().tolist()
        return [value.decode() if isinstance(value, bytes) else value for value in rows]


class InferOutput(_Tensor):
    """One output of an answer."""


class RequestedOutput:
    """An output the client asks for."""

    def __init__(self, name: str, parameters: dict[str, Any] | None = None) -> None:
        self.name = name
        self.parameters = parameters

    @property
    def binary_data(self) -> bool | None:
        """Whether it is to be sent as bytes; None where the client did not say."""
        found = (self.parameters or {}).get("binary_data")
        return None if found is None else bool(found)


class InferRequest:
    """A V2 request."""

    def __init__(
        self,
        model_name: str,
        infer_inputs: list[InferInput],
        request_id: str | None = None,
        raw_inputs: Any = None,
        from_grpc: bool | None = False,
        parameters: dict[str, Any] | None = None,
        request_outputs: list[RequestedOutput] | None = None,
        model_version: str | None = None,
    ) -> None:
        self.id = request_id
        self.model_name = model_name
        self.model_version = model_version
        self.inputs = infer_inputs
        self.parameters = parameters
        self.from_grpc = from_grpc
        self.request_outputs = request_outputs
        for tensor, raw in zip(infer_inputs, raw_inputs or (), strict=False):
            tensor._raw_data = raw

    @property
    def use_binary_outputs(self) -> bool:
        """Whether the client wants bytes in the answer."""
        return bool((self.parameters or {}).get("binary_data_output", False))

    def get_input_by_name(self, name: str) -> InferInput | None:
        """The input of that name."""
        return next((each for each in self.inputs if each.name == name), None)

    def as_dataframe(self) -> Any:
        """A pandas data frame with one column an input."""
        from predictors.serving.codecs import PandasCodec

        return PandasCodec().decode([Tensor(each.name, each.as_numpy()) for each in self.inputs])

    def to_dict(self) -> dict[str, Any]:
        """As V2's JSON has it."""
        return {
            "id": self.id,
            "model_name": self.model_name,
            "inputs": [each.to_dict() for each in self.inputs],
        }

    def __repr__(self) -> str:
        return f"InferRequest({self.to_dict()})"


class InferResponse:
    """A V2 answer."""

    def __init__(
        self,
        response_id: str | None,
        model_name: str,
        infer_outputs: list[InferOutput],
        model_version: str | None = None,
        raw_outputs: Any = None,
        from_grpc: bool | None = False,
        parameters: dict[str, Any] | None = None,
        use_binary_outputs: bool | None = False,
        requested_outputs: list[RequestedOutput] | None = None,
    ) -> None:
        self.id = response_id
        self.model_name = model_name
        self.model_version = model_version
        self.outputs = infer_outputs
        self.parameters = parameters
        self.from_grpc = from_grpc
        for tensor, raw in zip(infer_outputs, raw_outputs or (), strict=False):
            tensor._raw_data = raw

    def get_output_by_name(self, name: str) -> InferOutput | None:
        """The output of that name."""
        return next((each for each in self.outputs if each.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """As V2's JSON has it."""
        return {
            "id": self.id,
            "model_name": self.model_name,
            "outputs": [each.to_dict() for each in self.outputs],
        }

    def __repr__(self) -> str:
        return f"InferResponse({self.to_dict()})"
