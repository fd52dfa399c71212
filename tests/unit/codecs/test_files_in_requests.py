"""Files in requests: WAV of every kind, images of the formats that are taken."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from predictors.serving.codecs import AudioCodec, ImageCodec, find_input_codec
from predictors.serving.codecs.base import column
from predictors.serving.codecs.wav import WavError, read_wav
from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Tensor


def _file(fmt: bytes, body: bytes, size: int | None = None) -> bytes:
    told = len(body) if size is None else size
    chunks = b"LIST\x03\0\0\0abc\0fmt " + struct.pack("<I", len(fmt)) + fmt
    return b"RIFF\0\0\0\0WAVE" + chunks + b"data" + struct.pack("<I", told) + body


def _fmt(kind: int, bits: int, channels: int = 1) -> bytes:
    frame = channels * bits // 8
    return struct.pack("<HHIIHH", kind, channels, 8000, 8000 * frame, frame, bits)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (_file(_fmt(3, 32), np.array([0.5, -1], "<f4").tobytes()), [0.5, -1.0]),
        (_file(_fmt(3, 64), np.array([0.5, -1], "<f8").tobytes()), [0.5, -1.0]),
        (_file(_fmt(1, 8), bytes([192, 0])), [0.5, -1.0]),
        (_file(_fmt(1, 24), bytes([0, 0, 64, 0, 0, 128])), [0.5, -1.0]),
        (_file(_fmt(1, 32), np.array([1 << 30, -1 << 31], "<i4").tobytes()), [0.5, -1.0]),
        (_file(_fmt(0xFFFE, 32) + bytes(8) + b"\x03\0" + bytes(14), b"\0\0\0?"), [0.5]),
        (_file(_fmt(1, 16), b"\x01\0\x02\0\x03", 0xFFFFFFFF), [1, 2]),
        (_file(_fmt(7, 8), bytes([0x80, 0x00, 0xFF])), [32124 / 32768, -32124 / 32768, 0.0]),
        (_file(_fmt(6, 8), bytes([0xAA, 0x2A, 0xD5])), [32256 / 32768, -32256 / 32768, 8 / 32768]),
    ],
)
def test_wav_files_of_every_kind(data: bytes, wanted: list[float]) -> None:
    samples, rate = read_wav(data)
    assert rate == 8000
    assert samples.ravel().tolist() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"RIFF\0\0\0\0AVI ", "does not start with"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", "no chunks fmt and data"),
        (_file(_fmt(2, 4), b"abcd"), "are no sound"),
        (_file(_fmt(17, 16), b"abcd"), "format 17 with 16 bits"),
        (_file(_fmt(1, 64), b"abcdefgh"), "format 1 with 64 bits"),
        (_file(struct.pack("<HHIIHH", 1, 0, 8000, 0, 0, 16), b"ab"), "0 channels"),
    ],
)
def test_wav_files_that_are_none(data: bytes, told: str) -> None:
    with pytest.raises(WavError, match=told):
        read_wav(data)


@pytest.mark.parametrize(
    ("kind", "size", "told"),
    [
        ("PPM", (8, 8), "no image of a format that is taken: PNG, JPEG, WEBP, GIF, BMP, TIFF"),
        ("PNG", (8001, 8000), "8001 x 8000 pixels; up to 64,000,000"),
        ("PNG", (40000, 3000), "up to 64,000,000"),
    ],
)
def test_images_that_are_refused(kind: str, size: tuple[int, int], told: str) -> None:
    image_module = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    image_module.new("1", size).save(file, kind)
    codec = find_input_codec("pillow_image")
    assert codec is not None
    with pytest.raises(InvalidInputError, match=told):
        codec.decode(Tensor("x", column([file.getvalue()])))


def test_the_images_of_a_request_are_bounded_together() -> None:
    image_module = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    image_module.new("L", (10, 10)).save(file, "PNG")
    assert ImageCodec().opened(file.getvalue(), "x[3]", left=100).size == (10, 10)
    with pytest.raises(InvalidInputError, match=r"^x\[3\]: the images of this request have more"):
        ImageCodec().opened(file.getvalue(), "x[3]", left=99)


def test_the_sounds_of_a_request_are_bounded_together() -> None:
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, np.zeros(1000, np.int16), 8000, format="FLAC")
    assert AudioCodec().opened(file.getvalue(), "x[1]", left=1000).samples.shape == (1000, 1)
    with pytest.raises(InvalidInputError, match=r"^x\[1\] has 1000 samples of 1 channels; up to"):
        AudioCodec().opened(file.getvalue(), "x[1]", left=999)
