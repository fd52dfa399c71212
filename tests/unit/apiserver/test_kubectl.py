"""The real kubectl against the real process; skipped where there is none.

``ROUSE_KUBECTL`` may name several binaries, separated by colons, to try more than one version.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.unit.apiserver.hooks import serving
from tests.unit.apiserver.process import running

KUBECTLS = [path for path in os.environ.get("ROUSE_KUBECTL", "").split(":") if path] or [
    path for path in [shutil.which("kubectl")] if path
]

pytestmark = pytest.mark.skipif(not KUBECTLS, reason="no kubectl here")

MODEL = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "iris"},
    "spec": {
        "predictor": {
            "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}
        }
    },
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "nginx:1"}]},
        },
    },
}

Kubectl = Callable[..., str]


@pytest.fixture(params=KUBECTLS)
def kubectl(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kubectl]:
    """Runs kubectl; ``stdin`` may be an object, ``fails`` expects an error and returns it."""
    with running(tmp_path / "home") as server:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "KUBECONFIG": str(server.kubeconfig),
        }

        def run(*arguments: str, stdin: Any = None, fails: bool = False) -> str:
            done = subprocess.run(
                [request.param, *arguments],
                input=None if stdin is None else orjson.dumps(stdin).decode(),
                capture_output=True,
                text=True,
                env=environment,
                timeout=30,
            )
            assert (done.returncode != 0) is fails, done.stdout + done.stderr
            return done.stderr if fails else done.stdout

        yield run


def test_a_model_is_applied_shown_changed_and_deleted(kubectl: Kubectl) -> None:
    assert "created" in kubectl("apply", "-f", "-", stdin=MODEL)
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=MODEL)
    assert kubectl("get", "isvc").splitlines()[0].split()[:3] == ["NAME", "URL", "READY"]
    shown = orjson.loads(kubectl("get", "isvc", "iris", "-o", "json"))
    assert shown["spec"] == MODEL["spec"]
    assert "Storage Uri" in kubectl("describe", "isvc", "iris")
    kubectl("label", "isvc", "iris", "team=blue")
    kubectl("annotate", "isvc", "iris", "note=x")
    assert kubectl("get", "isvc", "-l", "team=blue", "-o", "name").strip().endswith("/iris")
    patch = '{"spec":{"predictor":{"minReplicas":0}}}'
    kubectl("patch", "isvc", "iris", "--type=merge", "-p", patch)
    path = "jsonpath={.spec.predictor.minReplicas}"
    assert kubectl("get", "isvc", "iris", "-o", path) == "0"
    late = kubectl("wait", "--for=condition=Ready", "isvc/iris", "--timeout=1s", fails=True)
    assert "timed out" in late
    kubectl("delete", "isvc", "iris")
    assert "NotFound" in kubectl("get", "isvc", "iris", fails=True)


def test_a_misspelt_field_is_refused(kubectl: Kubectl) -> None:
    predictor = {**MODEL["spec"]["predictor"], "minReplica": 1}  # type: ignore[index]
    told = kubectl(
        "apply", "-f", "-", stdin={**MODEL, "spec": {"predictor": predictor}}, fails=True
    )
    assert 'unknown field "' in told
    assert "minReplica" in told
    assert kubectl("get", "isvc") == ""


def test_a_deployment_is_changed_in_every_way(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    kubectl("scale", "deployment", "web", "--replicas=3")
    kubectl("set", "image", "deployment/web", "c=nginx:2")
    containers = [{"name": "d", "image": "x"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    kubectl("patch", "deployment", "web", "-p", orjson.dumps(patch).decode())
    kubectl("rollout", "restart", "deployment/web")
    live = orjson.loads(kubectl("get", "deployment", "web", "-o", "json"))
    assert live["spec"]["replicas"] == 3
    images = {each["image"] for each in live["spec"]["template"]["spec"]["containers"]}
    assert images == {"nginx:2", "x"}
    assert "0/3" in kubectl("get", "deployments")
    kubectl("replace", "-f", "-", stdin=DEPLOYMENT)
    again = orjson.loads(kubectl("get", "deployment", "web", "-o", "json"))
    assert again["spec"]["replicas"] == 2
    kubectl("delete", "deployment", "--all")


def test_server_side_apply(kubectl: Kubectl) -> None:
    one = ("apply", "--server-side", "--field-manager=one", "-f", "-")
    two = ("apply", "--server-side", "--field-manager=two", "-f", "-")
    other = {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replicas": 5}}  # type: ignore[dict-item]
    assert "serverside-applied" in kubectl(*one, stdin=DEPLOYMENT)
    told = kubectl(*two, stdin=other, fails=True)
    assert 'conflict with "one"' in told
    assert ".spec.replicas" in told
    kubectl(*two, "--force-conflicts", stdin=other)
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "5"


def test_namespaces_and_what_is_created_in_them(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "team")
    kubectl("-n", "team", "create", "configmap", "c", "--from-literal=a=b")
    kubectl("-n", "team", "create", "secret", "generic", "s", "--from-literal=a=b")
    kubectl("-n", "team", "create", "deployment", "d", "--image=nginx")
    assert kubectl("-n", "team", "get", "cm", "c", "-o", "jsonpath={.data.a}") == "b"
    assert kubectl("-n", "team", "get", "secret", "s", "-o", "jsonpath={.data.a}") == "Yg=="
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert kubectl("-n", "team", "get", "deployment", "d", "-o", image) == "nginx"
    kubectl("delete", "namespace", "team")
    assert "NotFound" in kubectl("get", "namespace", "team", fails=True)
    assert kubectl("auth", "can-i", "create", "pods").strip() == "yes"


def test_what_is_offered(kubectl: Kubectl) -> None:
    resources = kubectl("api-resources")
    for short in ("isvc", "kservice,ksvc", "vs", "svc", "kpa,pa"):
        assert short in resources
    kubectl("get", "ksvc,configurations,revisions,routes,virtualservices,kpa,pods,events,crd")
    assert "minReplicas" in kubectl("explain", "isvc.spec.predictor")
    assert "serving.kserve.io/v1beta1" in kubectl("api-versions")


def test_logs(kubectl: Kubectl, tmp_path: Path) -> None:
    containers = [{"name": "c", "image": "i"}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": containers},
    }
    kubectl("create", "-f", "-", stdin=pod)
    assert "waiting to start" in kubectl("logs", "p", fails=True)
    folder = tmp_path / "home" / "logs" / "pods" / "default_p" / "c"
    folder.mkdir(parents=True)
    (folder / "0.log").write_text("2026-01-01T00:00:00.0Z stdout F hello\n")
    assert kubectl("logs", "p") == "hello\n"
    assert "embedded engine" in kubectl("exec", "p", "--", "ls", fails=True)


async def test_a_webhook_by_url_is_asked_and_refuses_in_its_own_words(kubectl: Kubectl) -> None:
    async def judge(request: dict[str, Any]) -> dict[str, Any]:
        if "password" not in (request["object"].get("data") or {}):
            return {"allowed": True, "warnings": ["looked at"]}
        return {"allowed": False, "status": {"message": "passwords go into Secrets"}}

    async with serving(strict=judge) as hooks:
        configuration = hooks.configuration("Validating", "strict")
        await asyncio.to_thread(kubectl, "apply", "-f", "-", stdin=configuration)
        made = "create", "configmap"
        await asyncio.to_thread(kubectl, *made, "a", "--from-literal=user=x")
        told = await asyncio.to_thread(kubectl, *made, "b", "--from-literal=password=x", fails=True)
    assert 'admission webhook "strict.example.com" denied the request: passwords go' in told
    assert [each["name"] for each in hooks.asked] == ["a", "b"]
