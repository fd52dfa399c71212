"""Images to normalized tensors: ``--module transformers_pre.image:ImageTransformer``.

Over V1 an instance is base64 text, ``{"b64": text}`` or ``{"image_bytes": {"b64": text}}``; over V2
each element of the first BYTES input is base64 text or the image's own bytes. Options: ``size``
(224, or WIDTHxHEIGHT), ``mean`` and ``std`` (three numbers from 0 to 1; ImageNet's), ``layout``
(NCHW or NHWC), ``input`` (the predictor's input, input-0).
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest
from predictors.serving.tensors import Array, Tensor
from transformers_pre.transformer import Transformer

__all__ = ["ImageTransformer"]

_MEAN: Final = "0.485,0.456,0.406"
_STD: Final = "0.229,0.224,0.225"
_LAYOUTS: Final = ("NCHW", "NHWC")
_MAX_PIXELS: Final = 64 * 1024 * 1024
"""An image of few bytes can unfold to many gigabytes."""


class ImageTransformer(Transformer):
    """Decodes, resizes and normalizes; the predictor gets one FP32 tensor, N x 3 x H x W."""

    def __init__(
        self, name: str, folder: Path = Path(), options: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(name, folder, options)
        given = self.options
        self._size = _size(given.get("size", "224"))
        self._mean = _channels("mean", given.get("mean", _MEAN))
        self._std = _channels("std", given.get("std", _STD))
        self._layout = given.get("layout", "NCHW").upper()
        self._input = given.get("input", "input-0")
        if self._layout not in _LAYOUTS:
            raise ValueError(f"option layout is {self._layout}; allowed: {', '.join(_LAYOUTS)}")
        if not self._std.all():
            raise ValueError("option std must not have zeros")

    def preprocess(
        self, payload: dict[str, Any] | InferenceRequest, headers: Mapping[str, str]
    ) -> InferenceRequest:
        """One tensor of all images. Raises `InvalidInputError` naming the image."""
        images = [self._tensor(raw, field) for raw, field in _raw_images(payload)]
        if not images:
            raise InvalidInputError("There is no image in the request.")
        request_id = payload.id if isinstance(payload, InferenceRequest) else None
        return InferenceRequest([Tensor(self._input, np.stack(images))], id=request_id)

    def _tensor(self, raw: bytes, field: str) -> Array:
        """3 x H x W (or H x W x 3) of one encoded image."""
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(raw)) as image:
                if image.width * image.height > _MAX_PIXELS:
                    raise InvalidInputError(
                        f"{field} has {image.width} x {image.height} pixels; the most is "
                        f"{_MAX_PIXELS} in all."
                    )
                pixels = np.asarray(image.convert("RGB").resize(self._size), dtype=np.float32)
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
            raise InvalidInputError(f"{field} is no image that can be read: {error}.") from None
        normal: Array = (pixels / 255.0 - self._mean) / self._std
        return normal.transpose(2, 0, 1) if self._layout == "NCHW" else normal


def _raw_images(payload: dict[str, Any] | InferenceRequest) -> Iterator[tuple[bytes, str]]:
    if isinstance(payload, InferenceRequest):
        tensor = payload.inputs[0]
        for index, value in enumerate(tensor.array.ravel()):
            field = f"inputs[0].data[{index}]"
            yield value if isinstance(value, bytes) else _decoded(value, field), field
        return
    rows = payload.get("instances")
    if not isinstance(rows, list):
        raise InvalidInputError('The body must have "instances", a list of images.')
    for index, row in enumerate(rows):
        yield _decoded(row, f"instances[{index}]"), f"instances[{index}]"


def _decoded(value: object, field: str) -> bytes:
    while isinstance(value, dict):
        value = value.get("b64", value.get("image_bytes"))
    if not isinstance(value, str):
        raise InvalidInputError(f'{field} must be base64 text, or {{"b64": text}}.')
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise InvalidInputError(f"{field} is not base64: {error}.") from None


def _size(text: str) -> tuple[int, int]:
    """Width and height."""
    width, _, height = text.partition("x")
    try:
        size = int(width), int(height or width)
    except ValueError:
        size = (0, 0)
    if min(size) < 1:
        raise ValueError(f'option size is "{text}"; give pixels, such as 224 or 320x240')
    return size


def _channels(name: str, text: str) -> Array:
    try:
        values: Array = np.array([float(each) for each in text.split(",")], dtype=np.float32)
    except ValueError:
        values = np.empty(0)
    if values.shape != (3,):
        raise ValueError(f'option {name} is "{text}"; give three numbers, such as {_MEAN}')
    return values
