"""Images in, one normalized tensor out."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest
from predictors.serving.tensors import Tensor
from transformers_pre.image import ImageTransformer

PLAIN = {"size": "4x2", "mean": "0,0,0", "std": "1,1,1"}


def png(colour: tuple[int, int, int] = (255, 0, 51), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).convert(mode).save(buffer, "png")
    return buffer.getvalue()


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def made(payload: Any, **options: str) -> Tensor:
    request = ImageTransformer("m", options={**PLAIN, **options}).preprocess(payload, {})
    (tensor,) = request.inputs
    return tensor


@pytest.mark.parametrize(
    "instance",
    [text(png()), {"b64": text(png())}, {"image_bytes": {"b64": text(png())}}],
    ids=["text", "b64", "image_bytes"],
)
def test_instances_of_v1(instance: Any) -> None:
    tensor = made({"instances": [instance, instance]})
    assert (tensor.name, tensor.array.dtype, tensor.array.shape) == (
        "input-0",
        np.dtype(np.float32),
        (2, 3, 2, 4),
    )
    assert tensor.array[0, :, 0, 0] == pytest.approx([1.0, 0.0, 0.2])


@pytest.mark.parametrize("value", [png(), text(png())], ids=["bytes", "text"])
def test_elements_of_v2(value: object) -> None:
    array = np.empty(1, dtype=object)
    array[0] = value
    assert made(InferenceRequest([Tensor("images", array)])).array.shape == (1, 3, 2, 4)


def test_every_mode_of_image_becomes_three_channels() -> None:
    tensor = made({"instances": [text(png(mode=mode)) for mode in ("L", "P", "RGBA")]})
    assert tensor.array.shape == (3, 3, 2, 4)


def test_the_usual_normalization_and_layout() -> None:
    options = {"size": "2", "layout": "nhwc", "input": "x"}
    request = ImageTransformer("m", options=options).preprocess({"instances": [text(png())]}, {})
    (tensor,) = request.inputs
    assert (tensor.name, tensor.array.shape) == ("x", (1, 2, 2, 3))
    assert tensor.array[0, 0, 0, 0] == pytest.approx((1 - 0.485) / 0.229)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({}, 'must have "instances"'),
        ({"instances": []}, "no image"),
        ({"instances": [3]}, r"instances\[0\] must be base64"),
        ({"instances": ["%"]}, r"instances\[0\] is not base64"),
        ({"instances": [text(png()), text(b"gone")]}, r"instances\[1\] is no image"),
        ({"instances": [text(png()[:40])]}, r"instances\[0\] is no image"),
    ],
)
def test_a_wrong_image_is_named(payload: Any, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        made(payload)


@pytest.mark.parametrize(
    "option",
    [{"size": "big"}, {"size": "0"}, {"mean": "1,2"}, {"std": "1,0,1"}, {"layout": "CHW"}],
)
def test_a_wrong_option_is_named(option: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        ImageTransformer("m", options=option)
