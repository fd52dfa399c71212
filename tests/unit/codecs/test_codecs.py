"""Values to tensors and back, over the wire's JSON, for every codec."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.serving.codecs import (
    Audio,
    AudioCodec,
    Base64Codec,
    DatetimeCodec,
    InputCodec,
    JsonCodec,
    NumpyCodec,
    RawCodec,
    StringCodec,
    encode_value,
    find_input_codec,
)
from predictors.serving.errors import InvalidInputError
from predictors.serving.protocols import dumped
from predictors.serving.tensors import Tensor
from predictors.serving.tensors import decode as decode_tensor
from predictors.serving.tensors import encode as encode_tensor


def sent(tensor: Tensor) -> Tensor:
    """The tensor as it is read by the other side of a JSON connection."""
    told = orjson.loads(dumped(encode_tensor(tensor, column=False), "m"))
    return decode_tensor(told, 0)


def round_trip(codec: InputCodec, value: Any) -> Any:
    tensor = codec.encode("x", value)
    assert tensor.name == "x"
    return codec.decode(sent(tensor))


texts = st.text(st.characters(exclude_categories=["Cs"]))
times = st.datetimes(
    timezones=st.one_of(
        st.none(),
        st.just(UTC),
        st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), texts),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts, inner)),
    max_leaves=8,
)


@given(st.lists(texts, min_size=1))
def test_text(value: list[str]) -> None:
    assert round_trip(StringCodec(), value) == value


@given(st.lists(st.binary(), min_size=1))
def test_base64(value: list[bytes]) -> None:
    assert round_trip(Base64Codec(), value) == value


@given(st.lists(times, min_size=1))
def test_times(value: list[datetime]) -> None:
    assert round_trip(DatetimeCodec(), value) == value


@given(st.lists(documents, min_size=1))
def test_json(value: list[Any]) -> None:
    assert round_trip(JsonCodec(), value) == value


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.sampled_from(["int64", "float64", "float32", "bool"]),
)
def test_arrays(values: list[int], dtype: str) -> None:
    array = np.array(values).astype(dtype)
    found = round_trip(NumpyCodec(), array)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@given(st.one_of(texts, st.integers(-(2**63), 2**63 - 1), st.booleans()))
def test_single_values(value: object) -> None:
    assert round_trip(RawCodec(), value) == value


@given(
    st.lists(st.tuples(st.integers(-32768, 32767), st.integers(-32768, 32767)), min_size=1),
    st.integers(1, 192_000),
)
def test_sound(frames: list[tuple[int, int]], rate: int) -> None:
    sound = Audio(np.array(frames, dtype=np.int16), rate)
    [found] = round_trip(AudioCodec(), [sound])
    assert found.rate == rate
    np.testing.assert_array_equal(found.samples, sound.samples)


def test_sounds_of_other_widths_are_floats() -> None:
    import io
    import wave

    for width, frame, wanted in (
        (1, b"\xc0", 0.5),
        (3, b"\x00\x00\x40", 0.5),
        (4, b"\0\0\0\xc0", -0.5),
    ):
        file = io.BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(width)
            writer.setframerate(8000)
            writer.writeframes(frame * 2)
        [sound] = AudioCodec().decode(Tensor("x", np.array([file.getvalue()], dtype=object)))
        assert sound.samples.tolist() == [[wanted], [wanted]]


@given(st.integers(1, 8), st.integers(1, 8), st.randoms())
def test_images(height: int, width: int, random: Any) -> None:
    image_module = pytest.importorskip("PIL.Image")
    pixels = np.array(
        [[[random.randrange(256) for _ in range(3)] for _ in range(width)] for _ in range(height)],
        dtype=np.uint8,
    )
    codec = find_input_codec("pillow_image")
    assert codec is not None
    assert find_input_codec("image") is codec
    [found] = round_trip(codec, [image_module.fromarray(pixels)])
    np.testing.assert_array_equal(np.asarray(found), pixels)
    [same] = codec.decode(Tensor("x", pixels))
    np.testing.assert_array_equal(np.asarray(same), pixels)


@pytest.mark.parametrize(
    ("content_type", "array", "said"),
    [
        ("str", np.array([1.5]), "x[0] is float; content type str needs"),
        ("str", np.array([b"\xff"], dtype=object), "x[0] is not UTF-8 at byte 0"),
        ("base64", np.array(["aGk=", "%"], dtype=object), "x[1] is not base64"),
        ("datetime", np.array(["yesterday"], dtype=object), "x[0] is 'yesterday'"),
        ("json", np.array(["{"], dtype=object), "x[0] is not valid JSON"),
        ("audio", np.array(["aGk="], dtype=object), "x[0] cannot be read as a sound"),
        ("audio", np.array([1.0]), "x[0] is float"),
        ("pillow_image", np.array(["aGk="], dtype=object), "x[0] is no image"),
        ("pillow_image", np.zeros((2, 2)), "x: content type pillow_image needs BYTES"),
        ("pillow_image", np.zeros((2, 2, 7), dtype=np.uint8), "x is no image"),
    ],
)
def test_what_does_not_fit_is_named(content_type: str, array: Any, said: str) -> None:
    codec = find_input_codec(content_type)
    assert codec is not None
    with pytest.raises(InvalidInputError) as caught:
        codec.decode(Tensor("x", array))
    assert said in str(caught.value)


@given(
    st.sampled_from(["str", "base64", "datetime", "json", "audio", "pillow_image"]),
    st.lists(st.one_of(texts, st.binary()), min_size=1),
)
def test_any_elements_are_decoded_or_refused(content_type: str, values: list[str | bytes]) -> None:
    codec = find_input_codec(content_type)
    assert codec is not None
    array = np.empty(len(values), dtype=object)
    array[:] = values
    try:
        codec.decode(Tensor("x", array))
    except InvalidInputError as error:
        assert "x" in str(error)  # noqa: PT017 - most are refused, some are not


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        (["a"], "str"),
        ([b"a"], "base64"),
        ([datetime(2026, 1, 1, tzinfo=UTC)], "datetime"),
        ([{"a": 1}, None], "json"),
        ("text", "raw"),
        ([1, 2.5], None),
        (np.ones(2), None),
        ([], None),
    ],
)
def test_values_find_their_codec(value: object, content_type: str | None) -> None:
    tensor = encode_value("y", value)
    assert (tensor.parameters or {}).get("content_type") == content_type


def test_arrays_have_a_shape_and_no_bytes_are_lost() -> None:
    assert encode_value("y", 3).array.shape == (1,)
    assert encode_value("y", np.array([b"a\0"], dtype=object)).array.tolist() == [b"a\0"]
    assert encode_value("y", np.array(["2026-01-01"], dtype="M8[D]")).array.tolist() == [
        "2026-01-01"
    ]
    assert encode_value("y", np.array([1, 2], dtype="m8[us]")).array.tolist() == [1000, 2000]


def test_what_no_codec_takes_is_said() -> None:
    with pytest.raises(TypeError, match="no codec takes a object"):
        encode_value("y", object())


def test_nothing_heavy_is_imported() -> None:
    import subprocess

    code = (
        "import sys, predictors.serving.codecs;"
        "assert not {'pandas', 'PIL', 'pydantic'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
