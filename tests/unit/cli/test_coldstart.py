"""`rouse coldstart simulate`, as a user calls it."""

from __future__ import annotations

import orjson
from click.testing import CliRunner

from rouse.cli.main import rouse

HOURLY = "".join(
    f'{{"service": "hourly", "arrival": {hour * 3600}, "service_time": 1}}\n' for hour in range(24)
)


def run(*args: str, text: str) -> tuple[int, str]:
    done = CliRunner().invoke(rouse, ["coldstart", "simulate", *args], input=text)
    return done.exit_code, done.output


def test_policies_stand_beside_the_bound() -> None:
    code, output = run("--trace", "-", "-o", "json", text=HOURLY)
    assert code == 0
    rows = {row["policy"]: row for row in map(orjson.loads, output.splitlines())}
    assert list(rows) == ["fixed:600", "knative", "rouse", "optimum"]
    assert rows["knative"]["cold_starts"] == 24
    assert rows["rouse"]["cold_starts"] < 12
    assert rows["optimum"]["cold_starts"] == 1
    code, output = run("--trace", "-", text=HOURLY)
    assert output.splitlines()[0].split()[0] == "POLICY"


def test_wrong_input_is_told() -> None:
    code, output = run("--trace", "-", "--policy", "fixed", text=HOURLY)
    assert (code, "fixed:SECONDS" in output) == (2, True)
    code, output = run("--trace", "-", text="")
    assert (code, "holds no requests" in output) == (2, True)
