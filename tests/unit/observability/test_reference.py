"""docs/observability.md lists what the code tells, and rules and panels ask for nothing else."""

from __future__ import annotations

import inspect
import json
import re
from datetime import UTC, datetime
from types import ModuleType

import pytest

from predictors.graph.metrics import GraphMetrics
from predictors.graph.spec import parse_graph
from predictors.serving.inference import InferenceResponse
from predictors.serving.metrics import ServerMetrics, shared
from predictors.serving.payloads import outbox
from rouse.authorizer import run as authorizer
from rouse.controllers.observability.metrics import Metrics as ControllerMetrics
from rouse.daemon.process import process_families
from rouse.kube import Key
from rouse.kube.client import ApiCall
from rouse.kube.controller import Outcome, Reconciled
from rouse.webhook.metrics import Metrics as WebhookMetrics
from tests.unit.observability.support import PAGE, metrics_in, panels, rules

FAMILY = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)
SAMPLE = re.compile(r"^(\w+?)(?:_bucket|_sum|_count)?\{(.+)\} ", re.MULTILINE)
ROW = re.compile(
    r"^\| `(\w+)` \| (counter|gauge|histogram|summary) \| (.*?) \| .+ \|$", re.MULTILINE
)
PROCESS = {family.name for family in process_families()}
# What a model server tells of only where it logs payloads or has a GPU.
ELSEWHERE = {
    outbox: ("payload_log_events_total", "payload_log_dropped_total"),
    shared: tuple(f"rouse_device_memory_{what}_bytes" for what in ("used", "free", "total")),
}
# What Prometheus itself adds to each target.
OWN = {"up"}


def section(title: str) -> dict[str, tuple[str, set[str]]]:
    """The metrics of a section: name to type and labels."""
    text = PAGE.read_text().partition(f"### {title}\n")[2].partition("\n#")[0]
    return {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall(text)
    }


def model_server() -> str:
    metrics = ServerMetrics(["iris"])
    metrics.phase_seconds = {"load": 1.0}
    metrics.started(1.0)
    metrics.model("iris").succeeded(InferenceResponse(()))
    metrics.model("iris").failed(503)
    return metrics.text().decode()


def graph_router() -> str:
    step = {"name": "a", "serviceUrl": "http://a/"}
    graph = parse_graph(
        json.dumps({"nodes": {"root": {"routerType": "Sequence", "steps": [step]}}}), "g"
    )
    metrics = GraphMetrics(graph)
    metrics.requests.add(200, 0.1)
    metrics.watch(graph.root, graph.root.steps[0])(200, "")
    return metrics.text().decode()


def controllers() -> str:
    metrics = ControllerMetrics(lambda: 0.0)
    metrics.called(ApiCall("get", 200, 0.1))
    metrics.reconciled(Reconciled("a", Key("b", "c"), Outcome.FAILED, 0.1, 0, "Invalid"))
    metrics.waited("a")(0.1)
    metrics.cold_starts.woke(Key("b", "c"), {"totalMs": 30, "phases": {"load": 20}})
    metrics.cold_starts.judged(Key("b", "c"), True)
    metrics.ballooned("gpu", 2, 1)
    metrics.pre_pulled("gpu", {"server:1": {"present": 1}})
    return metrics.render()


def webhooks() -> str:
    now = datetime.now(UTC)
    metrics = WebhookMetrics(expires=lambda: now, clock=lambda: now)
    metrics.reviewed("validate", "CREATE", True, 0.1)
    metrics.failed(500)
    return metrics.render()


@pytest.mark.parametrize(
    ("title", "text", "more"),
    [
        (
            "Model servers",
            model_server(),
            {name for names in ELSEWHERE.values() for name in names},
        ),
        ("Graph routers", graph_router(), set()),
        ("Controllers", controllers(), set()),
        ("Webhooks", webhooks(), set()),
    ],
    ids=["models", "graphs", "controllers", "webhooks"],
)
def test_the_page_lists_what_is_told(title: str, text: str, more: set[str]) -> None:
    listed = section(title)
    told = {name: kind for name, kind in FAMILY.findall(text) if name not in PROCESS}
    assert listed.keys() - more == told.keys()
    assert {name: listed[name][0] for name in told} == told
    for name, labels in SAMPLE.findall(text):
        if name in listed:
            found = set(re.findall(r'(\w+)="', labels)) - {"le"}
            assert listed[name][1] == found, name


def test_every_process_tells_of_itself() -> None:
    assert section("Every process") == {
        family.name: (family.kind, set()) for family in process_families()
    }


@pytest.mark.parametrize(("module", "names"), ELSEWHERE.items(), ids=["payloads", "devices"])
def test_what_only_some_servers_tell_is_there(module: ModuleType, names: tuple[str, ...]) -> None:
    text = inspect.getsource(module)
    for name in names:
        assert f'"{name}"' in text


def test_the_counter_of_the_authorizer_is_there() -> None:
    (name,) = section("The authorizer")
    assert f'"{name}"' in inspect.getsource(authorizer)


def asked() -> dict[str, set[str]]:
    """Each rule and panel, and the metrics it asks for."""
    found = {rule.get("alert") or rule["record"]: metrics_in(rule["expr"]) for rule in rules()}
    for address, panel in panels():
        found[address] = set().union(*(metrics_in(each["expr"]) for each in panel["targets"]))
    return found


def test_rules_and_panels_ask_for_what_is_documented() -> None:
    titles = ("Model servers", "Controllers", "Webhooks", "Every process")
    there = {name for title in titles for name in section(title)} | OWN
    there |= {rule["record"] for rule in rules() if "record" in rule}
    for where, names in asked().items():
        assert names, where
        assert names <= there, f"{where}: {names - there}"


def test_the_page_lists_the_recording_rules() -> None:
    text = PAGE.read_text().partition("## Recording rules\n")[2].partition("\n## ")[0]
    listed = {re.sub(r"W$", "", name) for name in re.findall(r"^\| `([\w:]+)`", text, re.MULTILINE)}
    made = {rule["record"] for rule in rules() if "record" in rule}
    assert {re.sub(r"(?<=rate)(?:5m|30m|1h|6h)$", "", name) for name in made} == listed
