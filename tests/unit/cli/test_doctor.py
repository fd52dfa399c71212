"""`rouse doctor`: what objects need, what a cluster has, and the commands between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from rouse.cli import doctor as command
from rouse.compiler.needs import Kind, Needs, needs_of
from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import UnavailableError
from rouse.installer.findings import Finding
from rouse.kube.client import KubeClient
from rouse.kube.requests import ApiRequest
from rouse.kube.resources import GATEWAYS
from rouse.sdk.doctoring import examine

Object = dict[str, Any]


def knative(**pod: Any) -> Object:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "x", "namespace": "n"},
        "spec": {"template": {"spec": {"containers": [{"name": "a"}], **pod}}},
    }


def volume(**source: Any) -> Object:
    return {"volumes": [{"name": "v", **source}]}


def container(**fields: Any) -> Object:
    return {"containers": [{"name": "a", **fields}]}


@pytest.mark.parametrize(
    ("pod", "features"),
    [
        ({}, []),
        (volume(emptyDir={}), []),
        (volume(configMap={"name": "c"}), []),
        ({"nodeSelector": {"a": "b"}}, ["kubernetes.podspec-nodeselector"]),
        ({"tolerations": [{}]}, ["kubernetes.podspec-tolerations"]),
        ({"affinity": {"nodeAffinity": {}}}, ["kubernetes.podspec-affinity"]),
        ({"initContainers": [{}]}, ["kubernetes.podspec-init-containers"]),
        ({"runtimeClassName": "nvidia"}, ["kubernetes.podspec-runtimeclassname"]),
        ({"schedulerName": "s"}, ["kubernetes.podspec-schedulername"]),
        ({"securityContext": {"fsGroup": 1}}, ["kubernetes.podspec-securitycontext"]),
        ({"securityContext": {"seccompProfile": {}}}, []),
        (volume(hostPath={}), ["kubernetes.podspec-volumes-hostpath"]),
        (volume(image={}), ["kubernetes.podspec-volumes-image"]),
        (
            volume(persistentVolumeClaim={"readOnly": True}),
            ["kubernetes.podspec-persistent-volume-claim"],
        ),
        (
            volume(persistentVolumeClaim={}),
            [
                "kubernetes.podspec-persistent-volume-claim",
                "kubernetes.podspec-persistent-volume-write",
            ],
        ),
        (
            container(env=[{"name": "e", "valueFrom": {"fieldRef": {}}}]),
            ["kubernetes.podspec-fieldref"],
        ),
        (container(env=[{"name": "e", "valueFrom": {"secretKeyRef": {}}}]), []),
        (
            container(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
            ["kubernetes.containerspec-addcapabilities"],
        ),
        (container(securityContext={"capabilities": {"drop": ["ALL"]}}), []),
        (container(readinessProbe={}), []),
        (
            {"containers": [{"ports": [{}], "readinessProbe": {}}, {"readinessProbe": {}}]},
            ["multi-container-probing"],
        ),
    ],
)
def test_the_flags_of_knative(pod: Object, features: list[str]) -> None:
    needs = needs_of([knative(**pod)])
    assert list(needs.features) == features
    assert all(why[0].startswith("Service n/x: ") for why in needs.features.values())


def test_kinds_and_gateways() -> None:
    routes = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "x", "namespace": "n"},
        "spec": {"gateways": ["mesh", "a/b"]},
    }
    core = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}
    scaler = {"apiVersion": "autoscaling/v2", "kind": "HPA", "metadata": {"name": "x"}}
    needs = needs_of([routes, core, scaler, knative()])
    assert list(needs.kinds) == [
        Kind("networking.istio.io", "v1", "VirtualService"),
        Kind("serving.knative.dev", "v1", "Service"),
    ]
    assert needs.gateways == {"a/b": ("VirtualService n/x",)}
    assert needs_of([core]) == Needs({}, {}, {})


NEEDS = needs_of([knative(nodeSelector={"a": "b"}), knative(tolerations=[{}])])


class Cluster(KubeClient):
    """The API in this process, telling another version: one that is no embedded engine."""

    version = "v1.32.0"

    async def send(
        self, request: ApiRequest, *, warned: Callable[[str], None] | None = None
    ) -> Object:
        if request.path == "/version":
            return {"gitVersion": self.version}
        return await super().send(request, warned=warned)


async def found(client: KubeClient, needs: Needs = NEEDS) -> dict[str, Finding]:
    return {each.what: each async for each in examine(client, needs)}


async def test_the_embedded_engine_lacks_nothing() -> None:
    async with memory_api() as (_, http):
        assert not [each for each in (await found(KubeClient(http))).values() if each.wrong]


async def test_flags_that_are_off_are_told_with_their_command() -> None:
    async with memory_api() as (_, http):
        client = Cluster(http)
        off = (await found(client))["kubernetes.podspec-nodeselector"]
        assert (off.state, off.detail) == ("disabled", "Service n/x: nodeSelector")
        patch = orjson.loads(off.fix.rpartition("-p ")[2].strip("'"))
        features: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "config-features", "namespace": "knative-serving"},
        }
        await client.apply({**features, **patch})
        after = await found(client)
        assert after["kubernetes.podspec-nodeselector"].state == "ok"
        assert after["kubernetes.podspec-tolerations"].state == "disabled"


async def test_kinds_gateways_and_settings_that_are_missing_or_wrong() -> None:
    async with memory_api(manifests=False) as (_, http):
        after = await found(Cluster(http))
        isvc = after["InferenceService (serving.kserve.io/v1beta1)"]
        assert (isvc.state, isvc.fix) == (
            "missing",
            "kubectl apply --server-side -f manifests/crds",
        )
        assert after["Gateway knative-serving/knative-local-gateway"].state == "missing"
    async with memory_api(admission=()) as (_, http):
        client = Cluster(http)
        await client.delete(GATEWAYS, "knative-local-gateway", "knative-serving")
        settings = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "rouse-config", "namespace": "rouse-system"},
            "data": {"domian": "x"},
        }
        await client.apply(settings)
        after = await found(client)
        assert after["Gateway knative-serving/knative-local-gateway"].wrong
        wrong = after["ConfigMap rouse-system/rouse-config"]
        assert (wrong.state, 'did you mean "domain"' in wrong.detail) == ("invalid", True)


@pytest.mark.parametrize(("version", "state"), [("v1.21.3", "too old"), ("v1.30.0+x", "ok")])
async def test_the_version(version: str, state: str) -> None:
    async with memory_api() as (_, http):
        client = Cluster(http)
        client.version = version
        assert (await found(client))["Kubernetes API"].state == state
        client.version = "v1.30.0"
        needs = needs_of([knative(**volume(image={}))])
        assert (await found(client, needs))["Kubernetes API"].state == "too old"


def manifest(path: Path, **predictor: Any) -> Path:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris"}
    obj = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris"},
        "spec": {"predictor": {"model": model, **predictor}},
    }
    path.write_text(yaml.safe_dump(obj))
    return path


def test_without_a_cluster_the_needs_are_listed(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("ROUSE_HOME", str(tmp_path / "rouse"))
    monkeypatch.setenv("HOME", str(tmp_path))
    ran = cli("doctor", "-f", manifest(tmp_path / "a.yaml", nodeSelector={"disk": "ssd"}))
    assert ran.code == 0
    assert "rouse: no cluster is asked" in ran.err
    assert "kubernetes.podspec-nodeselector" in ran.out
    assert """-p '{"data":{"kubernetes.podspec-nodeselector":"enabled"}}'""" in ran.out
    ran = cli("doctor", "-f", manifest(tmp_path / "a.yaml", nodeSelectr={}))
    assert ran.code == 1
    assert "nodeSelectr" in ran.err
    assert cli("doctor").code == 0
    assert cli("doctor", "--kubeconfig", tmp_path / "absent").code == 1


def _kubeconfig(folder: Path) -> Path:
    kubeconfig = folder / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "clusters": [cluster],
                "contexts": [context],
                "users": [{"name": "u", "user": {}}],
                "current-context": "c",
            }
        )
    )
    return kubeconfig


def test_exit_codes(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Finding] = [Finding("a", "ok")]

    async def given(*_: object) -> list[Finding]:
        return answers

    kubeconfig = _kubeconfig(tmp_path)
    ran = cli("doctor", "--kubeconfig", kubeconfig)
    assert (ran.code, "no answer from the API" in ran.err) == (1, True)
    monkeypatch.setattr(command, "_examined", given)
    assert cli("doctor", "--kubeconfig", kubeconfig).code == 0
    answers.append(Finding("b", "missing", "why", "kubectl do"))
    ran = cli("doctor", "--kubeconfig", kubeconfig)
    assert ran.code == 1
    assert "To mend it:\n  kubectl do\n" in ran.out

    async def silent(*_: object) -> list[Finding]:
        raise UnavailableError("no answer")

    monkeypatch.setattr(command, "_examined", silent)
    assert cli("doctor", "--kubeconfig", kubeconfig).code == 1


def test_a_graph_of_services_that_the_cluster_has(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": "pets"},
        "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceName": "iris"}]}}},
    }
    file = tmp_path / "graph.yaml"
    file.write_text(yaml.safe_dump(graph))
    service = yaml.safe_load(manifest(tmp_path / "iris.yaml").read_text())
    service["metadata"]["namespace"] = "default"
    service["status"] = {"address": {"url": "http://iris.default.svc.cluster.local"}}
    there = [service]

    async def listed(*_: object) -> list[Object]:
        return there

    async def examined(*_: object) -> list[Finding]:
        return []

    monkeypatch.setattr(command, "_listed", listed)
    monkeypatch.setattr(command, "_examined", examined)
    kubeconfig = _kubeconfig(tmp_path)
    assert cli("doctor", "--kubeconfig", kubeconfig, "-f", file).code == 0
    there.clear()
    ran = cli("doctor", "--kubeconfig", kubeconfig, "-f", file)
    assert ran.code == 1
    assert "no InferenceService iris" in ran.err
