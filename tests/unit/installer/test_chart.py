"""The Helm chart gives what the overlays give; with helm at hand, by helm's own word.

$ROUSE_TEST_HELM names a helm that is not on the PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from jsonschema import ValidationError, validate

from rouse.errors import ConfigError
from rouse.installer.authorizer import AuthorizerScope
from rouse.installer.chart import chart_files, write_chart
from rouse.installer.kustomize import identity
from rouse.installer.selection import Selection, overlay_names, select

Object = dict[str, Any]

HELM = os.environ.get("ROUSE_TEST_HELM") or shutil.which("helm")
needs_helm = pytest.mark.skipif(HELM is None, reason="no helm is installed")

NOT_IN_THE_CHART = {
    ("", "Namespace", "", "rouse-system"),
    ("", "ConfigMap", "knative-serving", "config-autoscaler"),
    ("", "ConfigMap", "knative-serving", "config-deployment"),
    ("", "ConfigMap", "knative-serving", "config-features"),
    ("", "ConfigMap", "knative-serving", "config-gc"),
}


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chart") / "rouse"
    write_chart(folder)
    return folder


def helm(*args: object, fails: bool = False) -> str:
    assert HELM
    argv = [HELM, *map(str, args)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + (done.stderr if fails else "")


def template(chart: Path, *settings: str) -> dict[Any, Object]:
    flags = [part for setting in settings for part in ("--set", setting)]
    options = ["-n", "rouse-system"]
    text = helm("template", "rouse", chart, *options, *flags)
    return {identity(obj): obj for obj in yaml.load_all(text, Loader=yaml.CSafeLoader) if obj}


def test_equal_sources_give_equal_files(chart: Path, tmp_path: Path) -> None:
    before = {path.relative_to(chart): path.read_text() for path in chart.rglob("*.*")}
    assert {str(path): text for path, text in before.items()} == chart_files()
    (chart / "templates" / "old.yaml").write_text("a: b")
    write_chart(chart)
    assert not (chart / "templates" / "old.yaml").exists()
    (tmp_path / "mine").write_text("")
    with pytest.raises(ConfigError, match="something else than a chart"):
        write_chart(tmp_path)


def test_definitions_are_apart_so_that_helm_never_deletes_them(chart: Path) -> None:
    assert len(list((chart / "crds").iterdir())) == 10
    assert not list((chart / "templates").glob("customresourcedefinition*"))
    name = "localmodelnodes.serving.kserve.io"
    (wanted,) = [obj for obj in select(Selection()) if obj["metadata"]["name"] == name]
    assert yaml.safe_load((chart / "crds" / f"{name}.yaml").read_text()) == wanted


@needs_helm
def test_helm_finds_nothing_wrong(chart: Path) -> None:
    for overlay in overlay_names():
        assert "0 chart(s) failed" in helm("lint", chart, "--set", f"overlay={overlay}")
    assert "overlay" in helm("lint", chart, "--set", "overlay=gpus", fails=True)


@needs_helm
@pytest.mark.parametrize("overlay", overlay_names())
def test_the_chart_is_the_overlay(chart: Path, overlay: str) -> None:
    wanted = {identity(obj): obj for obj in select(Selection(overlay))}
    made = template(chart, f"overlay={overlay}", "gateways.create=true")
    left = {name for name in wanted.keys() - made.keys() if name[1] != "CustomResourceDefinition"}
    assert left <= NOT_IN_THE_CHART
    assert made.keys() <= wanted.keys()
    for name, obj in made.items():
        assert obj == wanted[name], name


@needs_helm
@pytest.mark.parametrize("overlay", ["minimal", "production"])
@pytest.mark.parametrize(
    "components",
    [
        ("cert-manager",),
        ("node-agent",),
        ("standby",),
        ("tracing",),
        ("cert-manager", "node-agent", "standby", "tracing"),
    ],
    ids="-".join,
)
def test_components_are_switched_by_values(
    chart: Path, overlay: str, components: tuple[str, ...]
) -> None:
    wanted = {identity(obj): obj for obj in select(Selection(overlay, components))}
    values = {"cert-manager": "certManager", "node-agent": "nodeAgent"}
    switches = [f"{values.get(name, name)}.enabled=true" for name in components]
    made = template(chart, f"overlay={overlay}", "gateways.create=true", *switches)
    left = {name for name in wanted.keys() - made.keys() if name[1] != "CustomResourceDefinition"}
    assert left <= NOT_IN_THE_CHART
    assert made == {name: wanted[name] for name in made}


def test_a_mistyped_switch_is_refused(chart: Path) -> None:
    schema = orjson.loads((chart / "values.schema.json").read_bytes())
    values = yaml.safe_load((chart / "values.yaml").read_text())
    validate(values, schema)
    with pytest.raises(ValidationError, match="enable"):
        validate({**values, "standby": {"enable": True}}, schema)


@needs_helm
@pytest.mark.parametrize(
    ("scope", "settings"),
    [
        (AuthorizerScope(), []),
        (
            AuthorizerScope(("a", "b"), "gateways"),
            ["apiKeys.namespaces={a,b}", "apiKeys.gatewayNamespace=gateways"],
        ),
    ],
    ids=["everywhere", "limited"],
)
def test_the_authorizer_is_that_of_the_component(
    chart: Path, scope: AuthorizerScope, settings: list[str]
) -> None:
    selection = Selection("production", ("api-keys",), authorizer=scope)
    wanted = {identity(obj): obj for obj in select(selection)}
    plain = template(chart)
    made = template(chart, "apiKeys.enabled=true", *settings)
    brought = made.keys() - plain.keys()
    assert not [name for name in plain if "authorizer" in name[3]]
    assert brought == {name for name in wanted if name[3].startswith("rouse-authorizer")}
    assert {name: made[name] for name in brought} == {name: wanted[name] for name in brought}


@needs_helm
def test_values(chart: Path) -> None:
    made = template(
        chart,
        "images.controller=mirror.example.com/controller@sha256:0",
        "images.sklearnserver=mirror.example.com/sklearn:1",
        "controller.replicas=0",
        "webhook.resources.limits.memory=1Gi",
    )
    controller = made["apps", "Deployment", "rouse-system", "rouse-controller"]["spec"]
    webhook = made["apps", "Deployment", "rouse-system", "rouse-webhook"]["spec"]
    assert (controller["replicas"], webhook["replicas"]) == (0, 2)
    image = "mirror.example.com/controller@sha256:0"
    assert controller["template"]["spec"]["containers"][0]["image"] == image
    resources = webhook["template"]["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"memory": "1Gi"}}
    runtime = made["serving.kserve.io", "ClusterServingRuntime", "", "rouse-sklearnserver"]
    assert runtime["spec"]["containers"][0]["image"] == "mirror.example.com/sklearn:1"
    assert not [name for name in made if name[1] == "Gateway"]
