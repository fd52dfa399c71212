"""Which pods a standby can become, and what it is given for that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rouse.controllers.standby.shape import Fit, UnfitError, fit_of

GOLDEN = Path(__file__).parents[2] / "golden" / "standard-plain" / "wanted.yaml"
Template = dict[str, Any]
Change = Callable[[Template], object]


@pytest.fixture
def template() -> Template:
    """The pod template of a compiled InferenceService iris."""
    wanted = yaml.safe_load_all(GOLDEN.read_text())
    deployment = next(each for each in wanted if each.get("kind") == "Deployment")
    found: Template = deployment["spec"]["template"]
    return found


def container(template: Template) -> Any:
    return template["spec"]["containers"][0]


def changed(template: Template, change: Change) -> Fit:
    other = copy.deepcopy(template)
    change(other)
    return fit_of(other)


def env(name: str, value: str) -> Change:
    return lambda each: container(each).setdefault("env", []).append({"name": name, "value": value})


def test_what_is_handed_over_is_what_the_server_reads(template: Template) -> None:
    fit = fit_of(template)
    assert fit.handed.args == (
        "--model_name=iris",
        "--model_dir=/mnt/models",
        "--http_port=8080",
    )
    assert fit.handed.env == {"STORAGE_URI": "gs://models/iris"}
    assert fit.shape.port == 8080
    assert fit.shape.memory == 2 << 30
    assert fit.shape.labels == {}
    assert "internal.rouse.dev/storage-credentials" in fit.shape.annotations
    lean = container({"spec": fit.shape.pod})
    assert "args" not in lean
    assert "env" not in lean
    assert lean["image"] == "ghcr.io/rouse/sklearnserver:v0.1.0"


@pytest.mark.parametrize(
    "change",
    [
        lambda each: each["metadata"]["labels"].update(app="isvc.other", team="x"),
        lambda each: each["metadata"]["annotations"].update({"rouse.dev/twin": "off"}),
        lambda each: container(each)["args"].__setitem__(0, "--model_name=other"),
        lambda each: container(each)["env"][0].update(value="gs://models/other"),
        env("ROUSE_BATCH_MAX_SIZE", "4"),
    ],
)
def test_services_that_share_their_standby_pods(template: Template, change: Change) -> None:
    assert changed(template, change).shape.digest == fit_of(template).shape.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda each: container(each).update(image="ghcr.io/rouse/sklearnserver:v0.2.0"),
        lambda each: container(each)["resources"]["requests"].update(cpu="2"),
        lambda each: each["spec"].update(serviceAccountName="models"),
        lambda each: each["spec"].update(nodeSelector={"pool": "a"}),
        # Webhooks act on these when the pod is made.
        lambda each: each["metadata"]["labels"].update({"azure.workload.identity/use": "true"}),
        lambda each: each["metadata"]["annotations"].update(
            {"serving.kserve.io/storageSecretName": "s"}
        ),
        # Read before the model is there: by the framework, or by the kubelet.
        env("OMP_NUM_THREADS", "2"),
        lambda each: container(each)["env"].append(
            {"name": "ROUSE_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
        ),
    ],
)
def test_services_that_do_not(template: Template, change: Change) -> None:
    assert changed(template, change).shape.digest != fit_of(template).shape.digest


def test_the_nodes_cache_is_mounted_for_the_model_that_it_has(template: Template) -> None:
    template["metadata"]["annotations"]["internal.rouse.dev/model-cache"] = "gs://models/iris"
    fit = fit_of(template)
    assert container({"spec": fit.shape.pod})["env"] == container(template)["env"]
    assert fit.handed.env == {"STORAGE_URI": "gs://models/iris"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda each: each["metadata"]["annotations"].clear(), "not one of Rouse's"),
        (lambda each: container(each).update(command=["sh"]), "not one of Rouse's"),
        (lambda each: container(each).pop("ports"), "names no port"),
        (lambda each: container(each)["args"].append("--workers=2"), "several processes"),
        (lambda each: container(each)["args"].append("--x=$(POD_NAME)"), "puts variables into"),
        (env("ROUSE_X", "$(POD_NAME)"), "puts variables into its variable ROUSE_X"),
        (lambda each: container(each)["args"].append("--http_port=9000"), "another port"),
        (lambda each: container(each)["args"].extend(["--http_port", "9000"]), "another port"),
        (
            lambda each: container(each)["readinessProbe"]["httpGet"].update(
                path="/v2/models/iris"
            ),
            "a server without a model lacks",
        ),
        (
            lambda each: container(each).update(livenessProbe={"exec": {"command": ["ls"]}}),
            "none over HTTP or TCP",
        ),
    ],
)
def test_pods_that_no_standby_can_become(template: Template, change: Change, why: str) -> None:
    with pytest.raises(UnfitError, match=why.replace("(", r"\(")):
        changed(template, change)


def test_a_model_that_somebody_else_fetches(template: Template) -> None:
    own = {
        "metadata": {"name": "mine"},
        "spec": {
            "container": {"name": "storage-initializer", "image": "x"},
            "supportedUriFormats": [{"prefix": "gs://"}],
        },
    }
    with pytest.raises(UnfitError, match="ClusterStorageContainer"):
        fit_of(template, [own])
