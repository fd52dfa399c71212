"""`rouse autoscaler replay`, as a user calls it."""

from __future__ import annotations

from pathlib import Path

import orjson
from click.testing import CliRunner

from rouse.cli.main import rouse


def run(*args: str, text: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(rouse, ["autoscaler", "replay", *args], input=text)
    return done.exit_code, done.output


def test_decisions_are_one_line_a_trace() -> None:
    config = '"config": {"total_value": 10, "target_value": 7}'
    lines = f'{{{config}, "ticks": [[2, 15, 15, 1]]}}\n{{{config}, "ticks": [[2, null, 1, 1]]}}\n'
    code, output = run("--metrics", "-", text=lines)
    assert code == 0
    decided = [orjson.loads(line) for line in output.splitlines()]
    assert decided == [
        {"decisions": [[3, -216, True, True]]},
        {"decisions": [[0, 0, False, None]]},
    ]


def test_averages_are_one_line_a_trace() -> None:
    trace = '{"window_s": 6, "algorithm": "weighted", "records": [[0, 5]], "queries": [0, 7]}'
    code, output = run("--windows", "-", text=trace)
    assert code == 0
    (averages,) = (orjson.loads(line)["averages"] for line in output.splitlines())
    assert 3 < averages[0] < 5
    assert averages[1] == 0


def test_requests_print_a_row_for_every_tick(tmp_path: Path) -> None:
    settings = tmp_path / "config.yaml"
    settings.write_text("kind: ConfigMap\ndata: {stable-window: 6s}\n")
    trace = '{"arrival": 1, "service_time": 0.5}\n'
    options = ["--config", str(settings), "--annotation", "target=1"]
    code, output = run("--requests", "-", *options, text=trace)
    assert code == 0
    titles, first, *_ = output.splitlines()
    assert titles.split()[:2] == ["T", "IN"]
    assert first.split()[0] == "2"
    code, output = run("--requests", "-", *options, "-o", "json", text=trace)
    rows = [orjson.loads(line) for line in output.splitlines()]
    assert [row["t"] for row in rows[:2]] == [2.0, 4.0]
    assert rows[-1]["replicas"] == 0


def test_wrong_use_is_told() -> None:
    code, output = run()
    assert code == 2
    assert "exactly one" in output
    code, output = run("--requests", "-", "--annotation", "target", text="")
    assert code == 2
    assert "NAME=VALUE" in output
