"""WAV files: PCM, floating point, A-law and mu-law, as recorders and ffmpeg write them. Pure.

Own code, because the standard library's ``wave`` reads neither floats nor the extensible header,
one of which most audio libraries write.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np

from predictors.serving.tensors import Array

__all__ = ["WavError", "read_wav"]

_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_HEAD: Final = struct.Struct("<4sI")
_FORMAT: Final = struct.Struct("<HHIIHH")
_SUBFORMAT: Final = 24
"""Where the extensible header has the format that it extends."""


class WavError(ValueError):
    """The bytes are no WAV file, or one that is not read here."""


def read_wav(data: bytes) -> tuple[Array, int]:
    """Samples of shape (frames, channels), and frames a second. Raises `WavError`.

    They are int16 where the file's are, and float32 from -1 to 1 otherwise. Of a file that ends
    early, or was written as a stream, what there is is read.
    """
    if data[:4] not in (b"RIFF", b"RF64") or data[8:12] != b"WAVE":
        raise WavError("file does not start with RIFF and WAVE")
    chunks = dict(_chunks(data))
    head, body = chunks.get(b"fmt "), chunks.get(b"data")
    if head is None or len(head) < _FORMAT.size or body is None:
        raise WavError("it has no chunks fmt and data")
    kind, channels, rate, _, _, bits = _FORMAT.unpack_from(head)
    if kind == _EXTENSIBLE and len(head) >= _SUBFORMAT + 2:
        [kind] = struct.unpack_from("<H", head, _SUBFORMAT)
    width = bits // 8
    if not channels or not rate or not width or bits % 8:
        raise WavError(f"{channels} channels of {bits} bits at {rate} Hz are no sound")
    frames = body[: len(body) // (channels * width) * channels * width]
    return _samples(frames, kind, width).reshape(-1, channels), rate


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view = memoryview(data)
    at = 12
    while at + _HEAD.size <= len(data):
        name, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield name, view[at : at + size]
        if name == b"data":
            return  # what was written as a stream says no true size, and what follows is no sound
        at += size + size % 2


def _samples(frames: memoryview, kind: int, width: int) -> Array:
    if kind == _FLOAT and width in (4, 8):
        return np.frombuffer(frames, f"<f{width}").astype(np.float32)
    if kind in (_A_LAW, _MU_LAW) and width == 1:
        codes = np.frombuffer(frames, np.uint8)
        return (_a_law if kind == _A_LAW else _mu_law)(codes)
    if kind != _PCM or width > 4:
        raise WavError(f"samples of format {kind} with {8 * width} bits are not read")
    if width == 1:
        return (np.frombuffer(frames, np.uint8).astype(np.float32) - 128.0) / np.float32(128.0)
    if width == 2:
        return np.frombuffer(frames, "<i2").astype(np.int16)
    if width == 3:
        padded = np.zeros((len(frames) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(frames, np.uint8).reshape(-1, 3)
        return padded.reshape(-1).view("<i4").astype(np.float32) / np.float32(1 << 31)
    return np.frombuffer(frames, "<i4").astype(np.float32) / np.float32(1 << 31)


def _mu_law(codes: Array) -> Array:
    """ITU G.711's, as float32."""
    code = ~codes
    exponent, mantissa = (code >> 4) & 7, (code & 15).astype(np.int32)
    size = (((mantissa << 3) + 0x84) << exponent) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.float32) / np.float32(1 << 15)


def _a_law(codes: Array) -> Array:
    """ITU G.711's, as float32."""
    code = codes ^ 0x55
    exponent, mantissa = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = (mantissa << 4) + 8
    size = np.where(exponent > 0, (size + 0x100) << np.maximum(exponent - 1, 0), size)
    return np.where(code & 0x80, size, -size).astype(np.float32) / np.float32(1 << 15)
