"""Whose content type counts, whole requests, and codecs of other packages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.serving.codecs import (
    InputCodec,
    decode_input,
    decode_request,
    encode_values,
    find_input_codec,
    find_request_codec,
    register_input_codec,
    registry,
)
from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest
from predictors.serving.tensors import Tensor, TensorSpec


def strings(*values: object, **parameters: object) -> Tensor:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return Tensor("x", array, parameters or None)


METADATA = TensorSpec("x", "BYTES", (-1,), {"content_type": "str"})


@pytest.mark.parametrize(
    ("own", "whole", "metadata", "wanted"),
    [
        ("base64", "json", "str", [b"12"]),
        (None, "json", "str", [12]),
        (None, None, "str", ["MTI="]),
        (None, None, None, np.ndarray),
    ],
)
def test_input_before_request_before_metadata(
    own: str | None, whole: str | None, metadata: str | None, wanted: Any
) -> None:
    value = "12" if whole == "json" and own is None else "MTI="
    tensor = strings(value, content_type=own) if own else strings(value)
    spec = TensorSpec("x", "BYTES", (-1,), {"content_type": metadata}) if metadata else None
    found = decode_input(tensor, {"content_type": whole} if whole else {}, spec)
    if wanted is np.ndarray:
        assert isinstance(found, np.ndarray)
    else:
        assert found == wanted


def test_a_requests_codec_takes_all_inputs() -> None:
    frame = decode_request(
        InferenceRequest(
            [
                Tensor("a", np.array([1, 2])),
                Tensor("b", np.array([["u"], ["v"]], dtype=object)),
                Tensor("t", np.array(["2026-01-01", "2026-01-02"], dtype=object)),
                Tensor(
                    "j", np.array(['{"k":1}', "null"], dtype=object), {"content_type": "pd_json"}
                ),
            ],
            parameters={"content_type": "pd"},
        ),
        [TensorSpec("t", "BYTES", (-1,), {"content_type": "datetime"})],
    )
    assert list(frame.columns) == ["a", "b", "t", "j"]
    assert frame["b"].tolist() == ["u", "v"]
    assert frame["t"][0] == datetime(2026, 1, 1)
    assert frame["j"].tolist()[0] == {"k": 1}


def test_without_a_codec_of_requests_inputs_have_their_names() -> None:
    request = InferenceRequest([strings("a")], parameters={"content_type": "np"})
    assert decode_request(request).tolist() == ["a"]
    assert decode_request(InferenceRequest([strings("a")]), [METADATA]) == {"x": ["a"]}
    assert decode_request(InferenceRequest([strings("a")]), [METADATA], "np").tolist() == ["a"]
    assert decode_request(InferenceRequest([strings("[1]")]), (), "json") == {"x": [[1]]}


@pytest.mark.parametrize(
    ("inputs", "parameters", "said"),
    [
        ([strings("a", content_type="hff")], {}, "x: parameters.content_type: content type 'hff'"),
        ([strings("a")], {"content_type": 3}, "parameters.content_type: content type 3 is not"),
        ([strings("a"), strings("b")], {"content_type": "np"}, "takes one input, got 2 (x, x)"),
        (
            [strings("a"), Tensor("y", np.ones(2))],
            {"content_type": "pd"},
            "must be of one length: x has 1, y has 2",
        ),
        ([Tensor("y", np.ones((2, 2, 2)))], {"content_type": "pd"}, "y has shape [2, 2, 2]"),
    ],
)
def test_what_does_not_fit_is_named(
    inputs: list[Tensor], parameters: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        decode_request(InferenceRequest(inputs, parameters=parameters))
    assert said in str(caught.value)


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.floats(allow_infinity=False),
            st.text(st.characters(exclude_categories=["Cs"])),
            st.booleans(),
        ),
        min_size=1,
    )
)
def test_frames_come_back(rows: list[tuple[int, float, str, bool]]) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=["i", "f", "s", "b"])
    tensors = encode_values(frame)
    assert tensors is not None
    codec = find_request_codec("pd")
    assert codec is not None
    pandas.testing.assert_frame_equal(codec.decode(tensors), frame, check_dtype=False)


def test_columns_of_anything_travel() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "t": pandas.to_datetime(["2026-01-01", "2026-01-02"]),
            "o": [{"a": 1}, None],
            "y": [b"\xff", b""],
            "n": pandas.array([1, None], dtype="Int64"),
        }
    )
    tensors = encode_values(frame)
    assert tensors is not None
    assert [(tensor.parameters or {}).get("content_type") for tensor in tensors] == [
        "datetime",
        "pd_json",
        "base64",
        None,
    ]
    codec = find_request_codec("pd")
    assert codec is not None
    again = codec.decode(tensors)
    assert again["y"].tolist() == [b"\xff", b""]
    assert again["o"].tolist()[0] == {"a": 1}
    assert np.isnan(again["n"][1])


class Upper(InputCodec):
    """Text in capitals."""

    content_type = "upper"

    def can_encode(self, value: object) -> bool:
        return False

    def decode(self, tensor: Tensor) -> list[str]:
        return [str(value).upper() for value in tensor.array.flat]

    def encode(self, name: str, value: Any) -> Tensor:
        raise NotImplementedError


@pytest.fixture
def _entry_points(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def entry_points(*, group: str) -> list[EntryPoint]:
        return [
            EntryPoint("upper", f"{__name__}:Upper", group),
            EntryPoint("broken", "no.such.module:Codec", group),
        ]

    monkeypatch.setattr(EntryPoint, "load", lambda self: {"upper": Upper}[self.name])
    monkeypatch.setattr(registry, "entry_points", entry_points)
    registry._installed.cache_clear()
    yield
    registry._inputs.pop("upper", None)
    registry._installed.cache_clear()


@pytest.mark.usefixtures("_entry_points")
def test_installed_codecs_are_found(caplog: pytest.LogCaptureFixture) -> None:
    codec = find_input_codec("upper")
    assert codec is not None
    assert codec.decode(strings("a")) == ["A"]
    assert "codec broken cannot be loaded" in caplog.text


def test_codecs_can_be_registered() -> None:
    assert register_input_codec(Upper) is Upper
    try:
        assert isinstance(find_input_codec("upper"), Upper)
    finally:
        registry._inputs.pop("upper")
