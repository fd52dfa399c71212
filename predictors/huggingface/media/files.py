"""Images and sound in requests: base64, data URLs, or raw bytes. Pure."""

from __future__ import annotations

import io
import wave
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from predictors.huggingface.calls import Call
from predictors.serving.codecs import AudioCodec, ImageCodec
from predictors.serving.codecs.audio import SAMPLES_OF_A_REQUEST
from predictors.serving.codecs.images import PIXELS_OF_A_REQUEST
from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Array

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["example_image", "example_sound", "images_of", "png", "resampled", "sounds_of"]


_RATES: Final = range(1_000, 1_000_000)
"""Samples a second of sounds there are; at fewer, a small file would be hours."""

_MOST_SECONDS: Final = 3600
"""An hour: what a rate or a compression makes longer would take all memory."""


def images_of(call: Call, field: str = "image") -> list[Image]:
    """The images of a call, as RGB. Raises `InvalidInputError` naming the one that is none."""
    found, left = [], PIXELS_OF_A_REQUEST
    for item, where in zip(call.items, call.where, strict=True):
        image = ImageCodec().opened(_file(item[field], where, "an image"), where, left)
        left -= image.width * image.height
        found.append(_colours(image, where))
    return found


def _colours(image: Image, where: str) -> Image:
    """An image as RGB of 8 bits, the right way up."""
    if image.mode.startswith("I;16"):
        # Pillow would cut 16 bits off at 255, which makes most of the image white.
        image = Pillow.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise InvalidInputError(f"{where} has pixels of 32 bits; 8 or 16 a channel are taken.")
    try:
        turned = ImageOps.exif_transpose(image)
    except Exception:  # whatever a broken EXIF raises: the pixels are there all the same
        turned = image
    return turned.convert("RGB")


def sounds_of(call: Call, rate: int, field: str = "audio") -> list[Array]:
    """The sounds of a call: float32 of one channel at `rate`. Raises `InvalidInputError`."""
    found, left = [], SAMPLES_OF_A_REQUEST
    for item, where in zip(call.items, call.where, strict=True):
        sound = AudioCodec().opened(_file(item[field], where, "a sound"), where, left)
        left -= sound.samples.size
        samples = np.asarray(sound.samples, np.float32)
        if sound.samples.dtype == np.int16:
            samples /= 32768.0
        if not samples.size:
            raise InvalidInputError(f"{where} is a sound without samples.")
        if not np.isfinite(samples).all():
            raise InvalidInputError(f"{where} is a sound with samples that are no numbers.")
        if len(samples) > _MOST_SECONDS * sound.rate:
            raise InvalidInputError(
                f"{where} is a sound of {len(samples) / sound.rate:.0f} s; up to "
                f"{_MOST_SECONDS} s are taken. Send it in parts."
            )
        if sound.rate not in _RATES:
            raise InvalidInputError(
                f"{where} says that it has {sound.rate} samples a second; from {_RATES[0]} to "
                f"{_RATES[-1]} are taken."
            )
        found.append(resampled(samples.mean(axis=1), sound.rate, rate))
    return found


def resampled(samples: Array, rate: int, wanted: int) -> Array:
    """`samples` at another rate; frequencies beyond half of the lower rate are cut off."""
    if rate == wanted:
        return samples
    count = max(1, round(len(samples) * wanted / rate))
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(count // 2 + 1, spectrum.dtype)
    size = min(len(kept), len(spectrum))
    kept[:size] = spectrum[:size]
    scaled = np.fft.irfft(kept, count) * (count / len(samples))
    return scaled.astype(np.float32)


def png(image: Image) -> str:
    """An image as base64 of PNG, which a browser shows behind ``data:image/png;base64,``."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return b64encode(file.getvalue()).decode()


def example_image() -> str:
    """A small image, for documentation that works."""
    return png(Pillow.new("RGB", (32, 32), (120, 90, 200)))


def example_sound() -> str:
    """A twentieth of a second of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        writer.writeframes(bytes(1600))
    return b64encode(file.getvalue()).decode()


def _file(value: Any, where: str, kind: str) -> str | bytes:
    """What an item has for a file: its base64, or its bytes."""
    if isinstance(value, dict) and set(value) == {"b64"}:
        value = value["b64"]
    if isinstance(value, str) and value.startswith("data:"):
        value = value.partition(",")[2]
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        raise InvalidInputError(
            f"{where} is an address; this server fetches nothing for a request. "
            f"Send {kind} itself, as base64 or binary."
        )
    if not isinstance(value, str | bytes) or not value:
        raise InvalidInputError(f"{where} must be {kind}: a file as base64, or binary.")
    return value
