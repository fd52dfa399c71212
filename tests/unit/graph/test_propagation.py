"""Which headers steps get: what does not need a router process."""

from __future__ import annotations

import pytest

from predictors.graph.errors import LoopError
from predictors.graph.hops import HOPS_HEADER, MOST_HOPS
from predictors.graph.propagation import Propagation


def lines(headers: dict[str, str], *patterns: str) -> list[str]:
    return Propagation(patterns).chosen(headers).decode("latin-1").split("\r\n")[:-1]


def test_what_a_client_calls_its_connections_own_goes_no_further() -> None:
    headers = {"connection": "close, X-Hop", "x-hop": "1", "x-request-id": "r", "x-other": "2"}
    told = ["x-request-id: r", "x-other: 2", f"{HOPS_HEADER}: 1"]
    assert lines(headers, ".*") == told


@pytest.mark.parametrize(
    ("told", "next_one"), [("", 1), ("1", 2), ("15", 16), ("-3", 1), ("²", 1), ("9" * 30, 1)]
)
def test_every_router_on_the_way_counts(told: str, next_one: int) -> None:
    assert lines({HOPS_HEADER: told}, ".*") == [f"{HOPS_HEADER}: {next_one}"]


def test_a_request_that_goes_round_comes_to_an_end() -> None:
    with pytest.raises(LoopError, match="through 16 graphs already; does one of them ask itself"):
        lines({HOPS_HEADER: str(MOST_HOPS)})
