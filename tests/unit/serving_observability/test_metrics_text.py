"""The page of metrics: its format, its names, and that the documentation has all of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from predictors.serving import metrics
from predictors.serving.inference import InferenceResponse
from predictors.serving.metrics.process import started_at
from predictors.serving.metrics.shared import added

Serve = Callable[..., str]

PAGE = Path(__file__).parents[3] / "docs/model-server.md"
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = rf'{NAME}="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"(?P<name>{NAME})(?:\{{(?P<labels>{LABEL}(?:,{LABEL})*)\}})? (?P<value>\S+)")
HELP = re.compile(rf"# HELP (?P<name>{NAME}) (?:[^\\\n]|\\[\\n])*")
TYPE = re.compile(rf"# TYPE (?P<name>{NAME}) (?P<kind>counter|gauge|histogram|summary)")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}


class Family(NamedTuple):
    kind: str
    samples: dict[tuple[str, str], float]


def parsed(text: str) -> dict[str, Family]:
    """Every family: each once, its HELP before its TYPE before its samples."""
    assert text.endswith("\n")
    families: dict[str, Family] = {}
    helped: set[str] = set()
    name = ""
    for line in text.splitlines():
        if found := HELP.fullmatch(line):
            assert found["name"] not in helped, line
            helped.add(found["name"])
        elif found := TYPE.fullmatch(line):
            name = found["name"]
            assert name in helped, line
            assert name not in families, line
            families[name] = Family(found["kind"], {})
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            kind, samples = families[name]
            assert sample["name"] in [name + end for end in SUFFIXES.get(kind, ("",))], line
            key = sample["name"], sample["labels"] or ""
            assert key not in samples, line
            samples[key] = float(sample["value"])
    for name, family in families.items():
        if family.kind == "histogram":
            _check_histograms(name, family)
        if family.kind == "counter":
            assert name.endswith("_total")
            assert min(family.samples.values(), default=0) >= 0
    return families


def _check_histograms(name: str, family: Family) -> None:
    series: dict[str, list[tuple[float, float]]] = {}
    for (sample, labels), value in family.samples.items():
        if sample == f"{name}_bucket":
            rest, _, bound = labels.rpartition('le="')
            series.setdefault(rest.rstrip(","), []).append((float(bound.rstrip('"')), value))
    for labels, buckets in series.items():
        assert buckets == sorted(buckets)
        assert buckets[-1][0] == float("inf")
        assert [count for _, count in buckets] == sorted(count for _, count in buckets)
        assert family.samples[f"{name}_count", labels] == buckets[-1][1]
        assert (f"{name}_sum", labels) in family.samples


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """No metrics of other tests' user code, or models."""
    monkeypatch.setattr("predictors.serving.metrics.custom._metrics", {})
    monkeypatch.setattr("predictors.serving.metrics.custom._others", {})


def _text(name: str = "a") -> str:
    server = metrics.ServerMetrics()
    server.phase_seconds = {"import": 0.2, "load": 0.3}
    server.started(0.6)
    model = server.model(name)
    version = model.version("1")
    for seconds in (0.00001, 0.002, 30.0):
        version.succeeded(InferenceResponse((), predict=seconds, queue=seconds))
    version.failed(400)
    version.failed(503)
    model.started(8, 2)
    return server.text().decode()


def _tables() -> Iterator[str]:
    section = PAGE.read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        if found := re.match(rf"\| `({NAME})` \|", line):
            yield found[1]


@pytest.mark.parametrize("name", ["a", 'quoted "b" \\ and\nline', "ü"])
def test_the_format_is_prometheus_own(name: str) -> None:
    metrics.counter("seen_total", "Two\nlines and a \\.").inc(2, kind='x"y')
    metrics.gauge("drift").set(float("inf"))
    families = parsed(_text(name))
    assert families["seen_total"].kind == "counter"
    assert families["cold_start_seconds"].samples["cold_start_seconds_count", 'phase="total"'] == 1


def test_the_first_answer_is_told_from_the_end_of_the_start() -> None:
    server = metrics.ServerMetrics()
    assert not parsed(server.text().decode())["first_answer_seconds"].samples
    server.started(0.6)
    server.model("a").version("1").succeeded(InferenceResponse((), predict=100.0))
    server.model("b").version("1").succeeded(InferenceResponse(()))
    told = parsed(server.text().decode())["first_answer_seconds"].samples
    assert told["first_answer_seconds", 'part="asked"'] == 0  # it came before the start was over
    assert 0 < told["first_answer_seconds", 'part="answered"'] < 60
    first, again = _text().encode(), _text("b").encode()
    workers = parsed(added([first, again]).decode())["first_answer_seconds"].samples
    each = [parsed(one.decode())["first_answer_seconds"].samples for one in (first, again)]
    assert workers == {key: min(one[key] for one in each) for key in workers}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing() -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=_text().encode(), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_texts_of_workers_are_one_text() -> None:
    text = _text().encode()
    families = parsed(added([text, text]).decode())
    once = parsed(text.decode())
    assert families.keys() == once.keys()
    started = families["process_start_time_seconds"].samples["process_start_time_seconds", ""]
    assert started == pytest.approx(started_at(), abs=0.1)
    key = "model_infer_request_success_total", 'model="a",version="1"'
    assert families["model_infer_request_success_total"].samples[key] == 6


async def test_kserves_and_mlservers_names_and_labels(serve: Serve) -> None:
    async with httpx.AsyncClient(base_url=serve(), timeout=20) as client:
        await client.post("/v1/models/double:predict", json={"instances": [[1.0, 2.0]]})
        await client.post("/v1/models/double:predict", json={"instances": [[13.0, 2.0]]})
        answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = parsed(answer.text)
    for part in ("preprocess", "predict", "postprocess"):
        name = f"request_{part}_seconds"
        assert families[name].samples[f"{name}_count", 'model_name="double"'] == 1
    for outcome in ("success", "failure"):
        name = f"model_infer_request_{outcome}_total"
        assert families[name].samples[name, 'model="double",version="1"'] == 1
    duration = "model_infer_request_duration"
    assert families[duration].samples[f"{duration}_count", 'model="double",version="1"'] == 1
    assert families["process_resident_memory_bytes"].kind == "gauge"


def test_the_documentation_has_every_metric(tmp_path: Path) -> None:
    from predictors.serving.payloads import PayloadLogger, logger_settings

    settings = logger_settings({"ROUSE_LOGGER_URL": f"file://{tmp_path}/log"})
    assert settings is not None
    PayloadLogger(settings).close(5.0)
    told = list(_tables())
    assert sorted(told) == sorted(parsed(_text()))
