"""``mlserver.MLModel``, the class to inherit from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from .codecs import (
    InputCodecLike,
    RequestCodecLike,
    content_type_of,
    find_input_codec,
    find_input_codec_by_payload,
    find_request_codec,
    find_request_codec_by_payload,
)
from .codecs.errors import CodecNotFound
from .settings import ModelSettings
from .types import (
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataTensor,
    RequestInput,
    RequestOutput,
    ResponseOutput,
)

__all__ = ["MLModel"]


class MLModel:
    """A model made with its settings; subclasses have `load` and `predict`."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self.ready = False

    async def load(self) -> bool:
        """Read the model; True when it can answer."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer one request."""
        raise NotImplementedError("predict() method not implemented")

    async def predict_stream(
        self, payloads: AsyncIterator[InferenceRequest]
    ) -> AsyncIterator[InferenceResponse]:
        """Answer in parts."""
        yield await self.predict(await anext(payloads))

    async def unload(self) -> bool:
        """Give back what `load` took."""
        return True

    @property
    def name(self) -> str:
        """The model's name."""
        return self._settings.name

    @property
    def version(self) -> str | None:
        """The model's version."""
        return self._settings.version

    @property
    def settings(self) -> ModelSettings:
        """The settings."""
        return self._settings

    @property
    def inputs(self) -> list[MetadataTensor]:
        """The inputs of the signature; `load` may set them."""
        return self._settings.inputs

    @inputs.setter
    def inputs(self, value: list[MetadataTensor]) -> None:
        self._settings.inputs = value

    @property
    def outputs(self) -> list[MetadataTensor]:
        """The outputs of the signature; `load` may set them."""
        return self._settings.outputs

    @outputs.setter
    def outputs(self, value: list[MetadataTensor]) -> None:
        self._settings.outputs = value

    def decode(
        self, request_input: RequestInput, default_codec: InputCodecLike | None = None
    ) -> Any:
        """An input's value: by its content type, its metadata's, or `default_codec`."""
        named = content_type_of(request_input, _named(self.inputs, request_input.name))
        codec = find_input_codec(named) or default_codec
        return request_input.data if codec is None else codec.decode_input(request_input)

    def decode_request(
        self,
        inference_request: InferenceRequest,
        default_codec: RequestCodecLike | None = None,
    ) -> Any:
        """A request's value: by its content type, the settings', or `default_codec`."""
        named = content_type_of(inference_request, self._settings)
        codec = find_request_codec(named) or default_codec
        return inference_request if codec is None else codec.decode_request(inference_request)

    def encode_response(
        self, payload: Any, default_codec: RequestCodecLike | None = None
    ) -> InferenceResponse:
        """A value as a whole answer. Raises `CodecNotFound`."""
        codec = find_request_codec_by_payload(payload) or default_codec
        if codec is None:
            raise CodecNotFound(payload_type=str(type(payload)), is_input=False, is_request=True)
        return codec.encode_response(self.name, payload, self.version)

    def encode(
        self,
        payload: Any,
        request_output: RequestOutput,
        default_codec: InputCodecLike | None = None,
    ) -> ResponseOutput:
        """A value as the output that was asked for. Raises `CodecNotFound`."""
        named = content_type_of(request_output, _named(self.outputs, request_output.name))
        codec = find_input_codec(named) if named else find_input_codec_by_payload(payload)
        codec = codec or default_codec
        if codec is None:
            raise CodecNotFound(name=request_output.name, is_input=False, is_request=False)
        return codec.encode_output(name=request_output.name, payload=payload)

    async def metadata(self) -> MetadataModelResponse:
        """The signature."""
        return MetadataModelResponse(
            name=self.name,
            platform=self._settings.platform,
            versions=self._settings.versions,
            inputs=self.inputs,
            outputs=self.outputs,
        )


def _named(tensors: list[MetadataTensor] | None, name: str) -> MetadataTensor | None:
    return next((each for each in tensors or () if each.name == name), None)
