"""Monitors find what the manifests run, and dashboards are those of their source."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rouse.installer.selection import Selection, select
from scripts.dashboards.boards import BOARDS as SOURCES
from scripts.dashboards.grafana import text_of
from tests.unit.observability.running import PROMETHEUS, prometheus
from tests.unit.observability.support import BOARDS, FOLDER, PAGE, Json

META = "__meta_kubernetes_pod_"


def rendered(kind: str) -> dict[str, Json]:
    objects = select(Selection("observability", ("tracing",)))
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def test_dashboards_are_those_of_their_source() -> None:
    assert {path.stem for path in BOARDS} == {board.uid for board in SOURCES}
    for board in SOURCES:
        text = (FOLDER / "dashboards" / f"{board.uid}.json").read_text()
        assert text == text_of(board), "run python -m scripts.dashboards"


def test_panels_do_not_cover_each_other() -> None:
    for path in BOARDS:
        board = json.loads(path.read_text())
        taken: set[tuple[int, int]] = set()
        identities = [panel["id"] for panel in board["panels"]]
        assert len(set(identities)) == len(identities)
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            assert max(x for x, _ in cells) < 24
            taken |= cells


def test_variables_are_defined_and_used() -> None:
    for path in BOARDS:
        board = json.loads(path.read_text())
        defined = {each["name"] for each in board["templating"]["list"]}
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"]))) - {"__rate_interval"}
        assert used == defined, path


def test_grafana_finds_them_all() -> None:
    found = rendered("ConfigMap")["rouse-dashboards"]
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["data"].keys() == {path.name for path in BOARDS}


def test_other_promises_can_be_laid_over_ours(tmp_path: Path) -> None:
    """By the kustomization that the page shows."""
    (shown,) = re.findall(r"^```yaml\n(# mine.+?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    files = dict(
        re.findall(r"^# mine/(\S+)\n(.+?)(?=^# mine/|\Z)", shown, re.MULTILINE | re.DOTALL)
    )
    ours = os.path.relpath(FOLDER.parent, tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text.replace("../manifests", ours))
    made = {
        each["metadata"]["name"]: each
        for each in select(Selection(str(tmp_path)))
        if each["kind"] == "PrometheusRule"
    }
    assert made["rouse-services"]["spec"]["groups"] == []
    assert made["rouse-platform"]["spec"]["groups"]


def test_service_monitors_choose_the_services_with_metrics() -> None:
    services = rendered("Service")
    for name, monitor in rendered("ServiceMonitor").items():
        labels = services[name]["metadata"]["labels"]
        wanted = monitor["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= labels.items()
        ports = {port["name"] for port in services[name]["spec"]["ports"]}
        assert {each["port"] for each in monitor["spec"]["endpoints"]} <= ports


def relabelings(monitor: Json) -> list[Json]:
    """As Prometheus itself spells them."""
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    return [
        {
            re.sub(r"[A-Z]", lambda up: f"_{up[0].lower()}", key): value
            for key, value in each.items()
        }
        for each in endpoint["relabelings"]
    ]


def pod(name: str, *, container: str = "kserve-container", **annotations: str) -> Json:
    """What Prometheus discovers of a container's port, and where it would ask."""
    labels = {
        "pod_ip": "10.0.0.1",
        "pod_name": name,
        "pod_container_name": container,
        "pod_controller_name": f"{name}-6d5f",
        "pod_label_serving_kserve_io_inferenceservice": "iris",
        "pod_label_component": "predictor",
        **{f"pod_annotation_{key}": value for key, value in annotations.items()},
    }
    made = {f"__meta_kubernetes_{key}": value for key, value in labels.items()}
    return {"targets": ["10.0.0.1:1"], "labels": {**made, "pod": name, "container": container}}


def pods() -> Iterator[Json]:
    port = {"prometheus_kserve_io_port": "8080"}
    # Both containers of one pod: it is asked once.
    yield pod("plain", **port)
    yield pod("plain", container="transformer-container", **port)
    path = {"prometheus_kserve_io_path": "/v1/metrics"}
    knative = pod("knative", prometheus_kserve_io_port="9000", **path)
    knative["labels"][f"{META}label_serving_knative_dev_revision"] = "iris-predictor-00002"
    yield knative
    six = pod("six", **port)
    six["labels"][f"{META}ip"] = "fd00::7"
    yield six
    yield pod("proxy", container="queue-proxy", **port)
    yield pod("refuses", serving_kserve_io_enable_prometheus_scraping="false", **port)
    yield pod("silent")


@pytest.mark.skipif(PROMETHEUS is None, reason="no prometheus is installed")
async def test_a_prometheus_asks_the_model_servers(tmp_path: Path) -> None:
    job = {
        "job_name": "any",
        "static_configs": list(pods()),
        "relabel_configs": relabelings(rendered("PodMonitor")["rouse-models"]),
    }
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": [job]}))
    async with prometheus(tmp_path, file) as client, asyncio.timeout(30):
        while True:
            found = (await client.get("/api/v1/targets")).json()["data"]
            if found["activeTargets"]:
                break
            await asyncio.sleep(0.05)
    assert len(found["activeTargets"]) == 3
    active = {one["labels"]["pod"]: one for one in found["activeTargets"]}
    assert {name: one["scrapeUrl"] for name, one in active.items()} == {
        "plain": "http://10.0.0.1:8080/metrics",
        "knative": "http://10.0.0.1:9000/v1/metrics",
        "six": "http://[fd00::7]:8080/metrics",
    }
    assert active["plain"]["labels"]["revision"] == "plain-6d5f"
    assert active["knative"]["labels"] == {
        "pod": "knative",
        "instance": "10.0.0.1:9000",
        "job": "rouse-models",
        "inferenceservice": "iris",
        "component": "predictor",
        "revision": "iris-predictor-00002",
    }
    assert len(found["droppedTargets"]) == 3
