"""`rouse coldstart show`, `top` and `explain`, over InferenceServices as the API gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
import yaml

from rouse.cli.ledger import waterfall
from rouse.sdk import browse

Json = dict[str, Any]


def service(name: str, *totals: float, count: int = 0, budget: str = "", **phases: Any) -> Json:
    recent = [
        {
            "time": f"2026-11-21T08:30:{second:02}.000000Z",
            "revision": f"{name}-00001",
            "totalMs": total,
            "phases": phases,
        }
        for second, total in enumerate(totals)
    ]
    told = (
        {
            "last": recent[-1],
            "p50Ms": totals[0],
            "p95Ms": max(totals),
            "count": count or len(totals),
            "since": recent[0]["time"],
            "dominantPhase": max(phases, key=lambda phase: phases[phase]),
            "recent": recent,
        }
        if recent
        else None
    )
    conditions = [{"type": "ColdStartWithinBudget", "status": budget}] if budget else []
    status = {"conditions": conditions} | ({"coldStart": told} if told else {})
    return {"metadata": {"namespace": "default", "name": name}, "status": status}


IRIS = service("iris", 30, 40, count=100, budget="True", queue=4, process=6, load=20)
IMPORT: Json = {"import": 2_000}
SLOW = service("slow", 20_000, pull=12_000, fetch=5_000, load=1_000, **IMPORT)
NEVER = service("never")


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def serve(*services: Json) -> None:
        def fetch(_resource: str, name: str | None, **_: object) -> Json:
            named = [one for one in services if one["metadata"]["name"] == name]
            return named[0] if name else {"items": list(services)}

        monkeypatch.setattr(browse, "fetch", fetch)

    return serve


def test_show(cli: Any, serving: Callable[..., None]) -> None:
    serving(IRIS, SLOW, NEVER)
    titles, iris, slow = cli("coldstart", "show").out.splitlines()
    assert titles.split()[:5] == ["NAMESPACE", "NAME", "LAST", "P50", "P95"]
    assert " ".join(iris.split()) == "default iris 40.0 ms 30.0 ms 40.0 ms 100 load True"
    assert " ".join(slow.split()) == "default slow 20.00 s 20.00 s 20.00 s 1 pull -"
    [row] = orjson.loads(cli("coldstart", "show", "iris", "-o", "json").out)
    assert (row["p50Ms"], row["count"], row["dominantPhase"]) == (30, 100, "load")


def test_show_names_what_was_not_seen_and_starts_that_nobody_waited_for(
    cli: Any, serving: Callable[..., None]
) -> None:
    standard = service("raw", 9_000, load=9_000)
    standard["status"]["coldStart"]["recent"][-1]["unknown"] = ["queue"]
    start = {"time": "2026-11-21T09:00:00Z", "pod": "raw-2", "totalMs": 4_000, "cause": "scale-up"}
    standard["status"]["starts"] = [{**start, "phases": {"pull": 3_000, "load": 1_000}}]
    serving(standard)
    lines = cli("coldstart", "show", "raw").out.splitlines()
    assert lines[2] == "not to be seen from outside, and in no total: queue"
    assert " ".join(lines[-1].split()) == "2026-11-21 09:00:00 scale-up raw-2 4.00 s pull"
    [row] = orjson.loads(cli("coldstart", "show", "raw", "-o", "json").out)
    assert row["starts"][0]["cause"] == "scale-up"
    assert "not to be seen from outside" in cli("coldstart", "explain", "raw").out


def test_show_without_any_cold_start(cli: Any, serving: Callable[..., None]) -> None:
    serving(NEVER)
    for command in (("show",), ("top",), ("explain", "never")):
        ran = cli("coldstart", *command)
        assert ran.code == 0
        assert ran.out == ""
        assert "nothing has woken" in ran.err
    assert yaml.safe_load(cli("coldstart", "show", "-o", "yaml").out) == []


def test_top_counts_what_callers_waited(cli: Any, serving: Callable[..., None]) -> None:
    serving(IRIS, SLOW)
    _, first, second = cli("coldstart", "top").out.splitlines()
    assert " ".join(first.split()).startswith("default slow 1 20.00 s 20.00 s 12.00 s pull")
    assert "pull the image" in first
    assert " ".join(second.split()).startswith("default iris 100 30.0 ms 3.00 s")
    rows = orjson.loads(cli("coldstart", "top", "--number", "1", "-o", "json").out)
    assert [(row["name"], row["savesMs"]) for row in rows] == [("slow", 12_000)]


def test_explain_names_what_would_be_saved(cli: Any, serving: Callable[..., None]) -> None:
    serving(SLOW)
    lines = cli("coldstart", "explain", "slow").out.splitlines()
    assert lines[0] == "default/slow: 1 cold starts since 2026-11-21 08:30 UTC"
    assert any(line.startswith("pull") and "12.00 s" in line and "█" in line for line in lines)
    assert lines[-2].startswith("3. import: skip the framework's import")
    assert "1. pull: pull the image to the nodes before it is needed" in "\n".join(lines)
    assert "   saves up to 12.00 s of 20.00 s (60%)" in lines
    told = orjson.loads(cli("coldstart", "explain", "slow", "-o", "json").out)
    assert [one["phases"] for one in told["advice"]] == [["pull"], ["fetch"], ["import"]]
    assert told["typicalMs"]["fetch"] == 5_000


@pytest.mark.parametrize("width", [20, 60, 200])
def test_a_waterfall_is_as_wide_as_the_terminal(width: int) -> None:
    phases = {"queue": 1.0, "process": 0.0, "import": 2.0, "load": 1.0, "ready": 0.0001}
    heads, *lines = waterfall(phases, phases, width)
    assert heads.split() == ["PHASE", "LAST", "MEDIAN"]
    assert max(map(len, lines)) <= max(width, 44)
    bars = {line.split()[0]: (line.find("█"), line.count("█")) for line in lines}
    assert bars["process"] == (-1, 0)
    assert bars["queue"][0] < bars["import"][0] < bars["load"][0] <= bars["ready"][0]
    assert abs(bars["import"][1] - 2 * bars["load"][1]) <= 2
    assert bars["ready"][1] == 1
