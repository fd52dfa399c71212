"""Numbers on a command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from predictors.serving.cli import parser_of
from predictors.serving.numbers import number, port, whole


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (whole(1), "0", "0 is less than 1"),
        (whole(0), "-5", "-5 is less than 0"),
        (whole(0), "many", '"many" is no whole number'),
        (number, "-1", "-1 is less than 0"),
        (number, "nan", '"nan" is no number'),
        (number, "1e999", '"1e999" is no number'),
        (number, "soon", '"soon" is no number'),
        (port, "99999", "from 0 to 65535"),
        (port, "-1", '"-1" is not a port'),
        (port, "http", '"http" is not a port'),
    ],
)
def test_what_is_no_such_number_is_told(
    read: Callable[[str], object], text: str, said: str
) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        read(text)


def test_what_is_one_is_read() -> None:
    assert (whole(1)("7"), number("0.5"), port("0")) == (7, 0.5, 0)


@pytest.mark.parametrize(
    "flag",
    [
        "--max_body=0",
        "--max_in_flight=0",
        "--max_batch_size=0",
        "--cache_size=-1",
        "--request_seconds=-1",
        "--drain_seconds=x",
        "--model_name= ",
    ],
)
def test_a_server_is_not_started_with_what_it_cannot_mean(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser_of("sklearn", {}).parse_args([flag])
    assert f"argument {flag.partition('=')[0]}: " in capsys.readouterr().err
