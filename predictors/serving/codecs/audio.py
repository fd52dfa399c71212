"""Sound: WAV files by the standard library, others where soundfile is installed."""

from __future__ import annotations

import io
import wave
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

from predictors.serving.codecs.base import InputCodec, column
from predictors.serving.codecs.text import from_base64
from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Array, Tensor

__all__ = ["Audio", "AudioCodec"]

_DTYPES: Final = {1: "<u1", 2: "<i2", 4: "<i4"}


class Audio(NamedTuple):
    """Samples of shape (frames, channels), int16 or float32 from -1 to 1, and frames a second."""

    samples: Array
    rate: int


class AudioCodec(InputCodec):
    """A list of `Audio`: files as BYTES, base64 in JSON. Answers are WAV of 16 bits."""

    content_type: ClassVar[str] = "audio"

    def can_encode(self, value: object) -> bool:
        """One sound, or a list of them."""
        values = value if isinstance(value, list) else [value]
        return bool(values) and all(isinstance(each, Audio) for each in values)

    def decode(self, tensor: Tensor) -> list[Audio]:
        """The sounds. Raises `InvalidInputError` naming the element."""
        sounds = []
        for index, value in enumerate(tensor.array.ravel().tolist()):
            where = f"{tensor.name}[{index}]"
            if not isinstance(value, str | bytes):
                raise InvalidInputError(f"{where} is {type(value).__name__}, not a sound file.")
            data = value
            if isinstance(data, str):
                # A WAV of silence is UTF-8, so that raw bytes can look like text.
                data = data.encode() if data.startswith("RIFF") else from_base64(data, where)
            sounds.append(_read(data, where))
        return sounds

    def encode(self, name: str, value: Any) -> Tensor:
        """One WAV file a sound."""
        values = value if isinstance(value, list) else [value]
        files = column(_wav(each) for each in values)
        return Tensor(name, files, {"content_type": self.content_type})


def _read(data: bytes, where: str) -> Audio:
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError, ValueError) as error:
        return _by_soundfile(data, where, error)
    whole = len(frames) // (channels * width) * (channels * width)
    return Audio(_samples(frames[:whole], width).reshape(-1, channels), rate)


def _samples(frames: bytes, width: int) -> Array:
    """int16 as it is; other widths as float32."""
    if width == 3:
        padded = np.zeros((len(frames) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(frames, np.uint8).reshape(-1, 3)
        samples, width = padded.reshape(-1).view("<i4"), 4
    else:
        samples = np.frombuffer(frames, _DTYPES[width])
    if width == 2:
        return samples.astype(np.int16)
    if width == 1:
        return (samples.astype(np.float32) - 128.0) / np.float32(128.0)
    return samples.astype(np.float32) / np.float32(1 << 31)


def _by_soundfile(data: bytes, where: str, why: Exception) -> Audio:
    try:
        import soundfile  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError:
        raise InvalidInputError(
            f"{where} is no WAV file of PCM samples ({why}); this server reads no other format."
        ) from None
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except RuntimeError as error:
        raise InvalidInputError(f"{where} is no sound file: {error}.") from None
    return Audio(samples, int(rate))


def _wav(sound: Audio) -> bytes:
    samples = sound.samples if sound.samples.ndim == 2 else sound.samples.reshape(-1, 1)
    if samples.dtype.kind == "f":
        samples = np.clip(np.rint(samples * 32768.0), -32768, 32767)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(samples.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(sound.rate)
        writer.writeframes(np.ascontiguousarray(samples, "<i2").tobytes())
    return file.getvalue()
