"""Sound: WAV files, and others where soundfile is installed."""

from __future__ import annotations

import io
import wave
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

from predictors.serving.codecs.base import InputCodec, column
from predictors.serving.codecs.text import from_base64
from predictors.serving.codecs.wav import WavError, read_wav
from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Array, Tensor

__all__ = ["SAMPLES_OF_A_REQUEST", "Audio", "AudioCodec"]

SAMPLES_OF_A_REQUEST: Final = 400_000_000
"""Of all its sounds together: an hour of stereo at 48 kHz, and 1.6 GB."""

_OTHERS: Final = (
    (b"ID3", 0, "MP3"),
    (b"\xff\xfb", 0, "MP3"),
    (b"\xff\xf3", 0, "MP3"),
    (b"fLaC", 0, "FLAC"),
    (b"OggS", 0, "Ogg"),
    (b"FORM", 0, "AIFF"),
    (b"ftyp", 4, "MP4 (M4A)"),
    (b"\x1a\x45\xdf\xa3", 0, "WebM or Matroska"),
)
"""What files begin with, at which byte."""


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
        sounds, left = [], SAMPLES_OF_A_REQUEST
        for index, value in enumerate(tensor.array.ravel().tolist()):
            sounds.append(self.opened(value, f"{tensor.name}[{index}]", left))
            left -= sounds[-1].samples.size
        return sounds

    def opened(self, value: object, where: str, left: int = SAMPLES_OF_A_REQUEST) -> Audio:
        """One file; of the request's samples so many are left.

        Raises `InvalidInputError` that begins with `where`.
        """
        if not isinstance(value, str | bytes):
            raise InvalidInputError(f"{where} is {type(value).__name__}, not a sound file.")
        if isinstance(value, bytes):
            return _read(value, where, left)
        # A WAV of silence is UTF-8, so that raw bytes can look like text.
        return _read(
            value.encode() if value.startswith("RIFF") else from_base64(value, where), where, left
        )

    def encode(self, name: str, value: Any) -> Tensor:
        """One WAV file a sound."""
        values = value if isinstance(value, list) else [value]
        files = column(_wav(each) for each in values)
        return Tensor(name, files, {"content_type": self.content_type})


def _read(data: bytes, where: str, left: int) -> Audio:
    try:
        return Audio(*read_wav(data))
    except WavError as error:
        return _by_soundfile(data, where, error, left)


def _by_soundfile(data: bytes, where: str, why: WavError, left: int) -> Audio:
    kind = next((name for magic, at, name in _OTHERS if data.startswith(magic, at)), None)
    try:
        import soundfile  # type: ignore[import-untyped, unused-ignore]
    except ModuleNotFoundError:
        told = f"it looks like {kind}" if kind else str(why)
        raise InvalidInputError(
            f"{where} is no WAV file ({told}), and this server reads no other sounds."
        ) from None
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            # A megabyte of FLAC can be days of silence.
            if file.frames * file.channels > left:
                raise InvalidInputError(
                    f"{where} has {file.frames} samples of {file.channels} channels; up to "
                    f"{SAMPLES_OF_A_REQUEST} are taken in a request."
                )
            return Audio(file.read(dtype="float32", always_2d=True), int(file.samplerate))
    except soundfile.LibsndfileError as error:
        # Its text would name an object of ours instead of the sound.
        told = f" It looks like {kind}." if kind else ""
        reason = error.error_string.removeprefix("Error : ").rstrip(".")
        raise InvalidInputError(f"{where} cannot be read as a sound: {reason}.{told}") from None


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
