"""What `rouse status` calls the engine's processes."""

from __future__ import annotations

import pytest

from rouse.embedded.engine.proc import Process
from rouse.embedded.engine.report import part_name

WARM = ("python", "-m", "predictors.sklearn", "--warm")
ROUTER = ("python", "-m", "predictors.graph", "--graph-json", "{}")


def process(command: tuple[str, ...], name: str = "python") -> Process:
    return Process(pid=2, parent=1, start=0, name=name, command=command, rss_bytes=0, pss_bytes=0)


@pytest.mark.parametrize(
    ("command", "name", "parent", "shown"),
    [
        (WARM, "python", ("python", "-m", "rouse.embedded.engine"), "warm sklearn"),
        (WARM, "warm-spare", WARM, "spare sklearn"),
        (WARM, "predictor", WARM, "replica sklearn"),
        (WARM, "guest-graph", WARM, "replica graph"),
        (ROUTER, "python", ("python", "-m", "rouse.embedded.engine"), "replica graph"),
        (("/usr/bin/envoy", "-c", "x"), "envoy", (), "gateway"),
    ],
)
def test_a_part_is_called_what_it_is(
    command: tuple[str, ...], name: str, parent: tuple[str, ...], shown: str
) -> None:
    assert part_name(process(command, name), process(parent) if parent else None) == shown
