"""What `rouse doctor` finds at an installation: one thing taken away or broken at a time."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rouse.compiler.config import Config
from rouse.installer.doctor import examine_installation
from rouse.installer.findings import Finding
from rouse.installer.preflight import examine_knative, preflight
from rouse.installer.selection import Selection, select
from rouse.kube.objects import Object
from rouse.kube.resources import LEASES
from tests.unit.installer.world import NAMESPACE, World, world

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
Break = Callable[[World], Awaitable[object]]


def certificate(until: datetime) -> str:
    """A certificate of its own that runs out then, as a Secret holds it."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rouse-webhook")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=90))
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


async def write_certificate(it: World, until: datetime, bundle: str | None = None) -> None:
    """What the webhook does: its Secret, and caBundle of both configurations."""
    encoded = certificate(until)
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "rouse-webhook-certs", "namespace": NAMESPACE},
        "data": {"tls.crt": encoded, "ca.crt": encoded},
    }
    await it.user.apply(secret)
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        live = await it.get(kind, "rouse-webhook", "")
        assert live is not None
        for hook in live["webhooks"]:
            hook["clientConfig"]["caBundle"] = bundle or encoded
        await it.change(live)


async def write_lease(it: World, renewed: datetime) -> None:
    lease: Object = {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {"name": "rouse-controller", "namespace": NAMESPACE},
        "spec": {
            "holderIdentity": "rouse-controller-1",
            "renewTime": f"{renewed:%Y-%m-%dT%H:%M:%S.%fZ}",
        },
    }
    await it.user.apply(lease)


@asynccontextmanager
async def healthy() -> AsyncIterator[World]:
    async with world() as it:
        await it.install("production")
        for name in ("rouse-controller", "rouse-webhook"):
            await it.run_deployment(name)
        await write_certificate(it, NOW + timedelta(days=60))
        await write_lease(it, NOW - timedelta(seconds=2))
        yield it


async def found(it: World, config: Config | None = None, version: str = "1") -> dict[str, Finding]:
    """The findings but for the definitions that these tests do without."""
    examined = examine_installation(it.cluster, config or Config(), version=version, now=NOW)
    every = {each.what: each async for each in examined}
    return {
        what: each
        for what, each in every.items()
        if not (what.startswith("CRD") and each.state == "missing")
    }


async def test_a_healthy_installation_has_nothing_wrong() -> None:
    async with healthy() as it:
        findings = await found(it)
        assert not [each for each in findings.values() if each.wrong]
        assert findings["Leader"].detail == "rouse-controller-1"
        assert findings["Webhook certificate"].detail == "until 2026-06-30"
        newer = await found(it, version="2")
        assert "version 1 is installed, this is 2" in newer["Installation (production)"].detail


async def test_no_installation() -> None:
    async with world() as it:
        findings = await found(it)
        assert [each.fix for each in findings.values()] == ["rouse install"]


async def _delete(it: World, kind: str, name: str, namespace: str = NAMESPACE) -> None:
    live = await it.get(kind, name, namespace)
    assert live is not None
    await it.cluster.delete(live)


async def _no_replicas(it: World) -> None:
    live = await it.get("Deployment", "rouse-webhook")
    assert live is not None
    status = {**live["status"], "availableReplicas": 1}
    await it.user.replace({**live, "status": status}, subresource="status")


async def _drifted(it: World) -> None:
    live = await it.get("CustomResourceDefinition", "inferenceservices.serving.kserve.io", "")
    assert live is not None
    live["spec"]["versions"][0]["additionalPrinterColumns"] = []
    await it.change(live)


async def _kserve(it: World) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kserve"}}
    await it.user.apply(namespace)
    deployment: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "kserve-controller-manager", "namespace": "kserve"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "manager", "image": "kserve"}]},
            },
        },
    }
    await it.user.apply(deployment)


async def _off(it: World) -> None:
    live = await it.get("ConfigMap", "config-features", "knative-serving")
    assert live is not None
    data = {**live["data"], "kubernetes.podspec-affinity": "disabled"}
    await it.change({**live, "data": data})


@pytest.mark.parametrize(
    ("broken", "what", "state", "detail", "fix"),
    [
        (
            lambda it: _delete(it, "Deployment", "rouse-controller"),
            "Deployment rouse-controller",
            "missing",
            "",
            "rouse install --overlay production",
        ),
        (_no_replicas, "Deployment rouse-webhook", "not ready", "1 of 2", "kubectl describe pods"),
        (
            lambda it: write_lease(it, NOW - timedelta(minutes=5)),
            "Leader",
            "not ready",
            "last said so at 2026-05-01 11:55:00",
            "kubectl logs",
        ),
        (
            lambda it: _delete(it, "Secret", "rouse-webhook-certs"),
            "Webhook certificate",
            "missing",
            "the webhook makes it",
            "kubectl rollout restart deployment rouse-webhook",
        ),
        (
            lambda it: write_certificate(it, NOW - timedelta(days=1)),
            "Webhook certificate",
            "invalid",
            "it ran out on 2026-04-30",
            "kubectl delete secret rouse-webhook-certs",
        ),
        (
            lambda it: write_certificate(it, NOW + timedelta(days=3)),
            "Webhook certificate",
            "not ready",
            "nobody has renewed it",
            "kubectl rollout restart",
        ),
        (
            lambda it: write_certificate(it, NOW + timedelta(days=60), bundle="Q0E="),
            "MutatingWebhookConfiguration",
            "invalid",
            "not that of the certificate",
            "kubectl rollout restart",
        ),
        (
            lambda it: _delete(it, "ValidatingWebhookConfiguration", "rouse-webhook", ""),
            "ValidatingWebhookConfiguration",
            "missing",
            "not checked",
            "rouse install",
        ),
        (
            _drifted,
            "CRD inferenceservices.serving.kserve.io",
            "invalid",
            "not the definition",
            "rouse install --overlay production",
        ),
        (_kserve, "KServe's controller", "conflict", "same InferenceServices", "--replicas=0"),
        (
            _off,
            "kubernetes.podspec-affinity",
            "disabled",
            "fail",
            "kubectl patch configmap config-features -n knative-serving",
        ),
    ],
)
async def test_what_is_broken_is_told_with_a_remedy(
    broken: Break, what: str, state: str, detail: str, fix: str
) -> None:
    async with healthy() as it:
        await broken(it)
        findings = await found(it)
        finding = findings[what]
        assert finding.state == state
        assert finding.wrong
        assert detail in finding.detail
        assert fix in finding.fix
        wrong = {each.what for each in findings.values() if each.wrong}
        # Both configurations share one authority.
        assert {each.replace("Validating", "Mutating") for each in wrong} == {
            what.replace("Validating", "Mutating")
        }


POOL = """
a100:
  nodeSelector: {gpu: a100}
  tolerations: [{key: nvidia.com/gpu, operator: Exists}]
  resources: [nvidia.com/gpu]
"""


@pytest.mark.parametrize(
    ("node", "state", "detail"),
    [
        (None, "note", "no node has the labels gpu=a100"),
        ({"gpu": "nvidia.com/gpu"}, "ok", "1 nodes"),
        ({"gpu": "amd.com/gpu"}, "invalid", "its 1 nodes offer none of nvidia.com/gpu"),
        ({"gpu": "nvidia.com/gpu", "taint": "mine"}, "invalid", "such as mine"),
        ({"gpu": "nvidia.com/gpu", "taint": "nvidia.com/gpu"}, "ok", "1 nodes"),
    ],
)
async def test_node_pools(node: dict[str, str] | None, state: str, detail: str) -> None:
    config = Config.from_config_map({"data": {"nodePools": POOL, "defaultGpuPool": "a100"}})
    async with healthy() as it:
        if node is not None:
            taint = {"key": node.get("taint"), "effect": "NoSchedule", "value": "x"}
            made: Object = {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": "n", "labels": {"gpu": "a100"}},
                "spec": {"taints": [taint]} if node.get("taint") else {},
            }
            stored = await it.user.apply(made)
            status = {"allocatable": {node["gpu"]: "8", "cpu": "64"}}
            await it.user.replace({**stored, "status": status}, subresource="status")
        findings = await found(it, config)
        pool = findings["Node pool a100"]
        assert (pool.state, detail in pool.detail) == (state, True), pool
        assert findings["GPUs"].state == ("note" if node is None else "ok")


async def pod(it: World, name: str, namespace: str, labels: dict[str, str], phase: str) -> None:
    made: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    stored = await it.user.apply(made)
    await it.user.replace({**stored, "status": {"phase": phase}}, subresource="status")


BALLOONS = "a100: {balloons: {count: 2, resources: {nvidia.com/gpu: 1}}}"


async def test_balloons_without_a_place_are_told() -> None:
    config = Config.from_config_map({"data": {"nodePools": BALLOONS}})
    async with healthy() as it:
        nothing = (await found(it, config))["Balloons of a100"]
        assert nothing.state == "not ready"
        assert "kubectl describe replicasets" in nothing.fix
        for name, phase in (("one", "Running"), ("two", "Pending")):
            await pod(it, name, NAMESPACE, {"rouse.dev/balloons": "a100"}, phase)
        pending = (await found(it, config))["Balloons of a100"]
        assert (pending.state, pending.detail[:22]) == ("note", "1 of 2 hold a place: t")


AUTH = """
default: api-key
jwt: [{issuer: https://login.example.com, jwksUri: https://login.example.com/keys}]
"""


async def test_what_access_relies_on() -> None:
    asked = []

    async def away(url: str) -> str:
        asked.append(url)
        return "answers 404"

    settings = {"auth": AUTH, "tlsSecret": "cert", "tlsIssuer": "ClusterIssuer/le"}
    config = Config.from_config_map({"data": settings})
    async with healthy() as it:
        for name in ("default", "istio-system"):
            await it.user.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )

        async def states() -> dict[str, tuple[str, str]]:
            examined = examine_installation(it.cluster, config, version="1", now=NOW, fetch=away)
            return {each.what: (each.state, each.detail) async for each in examined}

        first = await states()
        assert first["auth.gatewayNamespace"][0] == "invalid"
        assert "are open" in first["auth.gatewayNamespace"][1]
        keys = first["auth.jwt https://login.example.com/keys"]
        assert (keys[0], keys[1].startswith("answers 404, asked from here")) == ("note", True)
        assert asked == ["https://login.example.com/keys"]
        assert first["API keys: authorizer"][0] == "missing"
        assert first["API keys: provider rouse-authorizer"][0] == "note"
        assert "cert-manager is not there" in first["tlsIssuer ClusterIssuer/le"][1]
        assert "HTTPS is not answered" in first["tlsSecret cert"][1]
        assert first["Tracing of the gateway"][0] == "note"

        await pod(it, "gateway", "istio-system", {"istio": "ingressgateway"}, "Running")
        secret: Object = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "cert", "namespace": "istio-system"},
            "data": {"tls.crt": certificate(NOW + timedelta(days=3))},
        }
        mesh: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": "istio-system"},
            "data": {"mesh": "extensionProviders: [{name: other}]"},
        }
        await it.user.apply(secret)
        await it.user.apply(mesh)
        second = await states()
        assert second["auth.gatewayNamespace"][0] == "ok"
        assert second["tlsSecret cert"][0] == "not ready"
        assert "it runs out on 2026-05-04" in second["tlsSecret cert"][1]
        assert second["API keys: provider rouse-authorizer"][0] == "missing"
        mesh["data"]["mesh"] = "extensionProviders: [{name: rouse-authorizer}]"
        await it.user.apply(mesh)
        with_keys = select(Selection("production", ("api-keys",)))
        for obj in with_keys:
            if (obj["kind"], obj["metadata"]["name"]) == ("Deployment", "rouse-authorizer"):
                await it.user.apply(obj)
        third = await states()
        assert third["API keys: provider rouse-authorizer"][0] == "ok"
        assert third["API keys: authorizer"][0] == "not ready"
        provider = "{name: rouse-authorizer, envoyExtAuthzHttp: {failOpen: true}}"
        mesh["data"]["mesh"] = f"extensionProviders: [{provider}]"
        await it.user.apply(mesh)
        fourth = await states()
        assert fourth["API keys: provider rouse-authorizer"][0] == "invalid"


async def before(it: World, **changes: Any) -> dict[str, Finding]:
    plan = it.plan("production", **changes)
    return {each.what: each async for each in preflight(it.cluster, plan.objects)}


async def test_a_cluster_with_everything_may_be_installed_on() -> None:
    async with world() as it:
        findings = await before(it)
        assert not [each for each in findings.values() if each.wrong]
        assert findings["KEDA"].state == "note"


@pytest.mark.parametrize(
    ("absent", "what", "state", "said"),
    [
        (
            "/apis/serving.knative.dev/",
            "Service (serving.knative.dev/v1)",
            "missing",
            "serving-core.yaml",
        ),
        (
            "/apis/networking.istio.io/",
            "VirtualService (networking.istio.io/v1)",
            "missing",
            "istio.yaml",
        ),
        (
            "/apis/security.istio.io/",
            "PeerAuthentication (security.istio.io/v1)",
            "missing",
            "istio.yaml",
        ),
        ("/api/v1/namespaces/istio-system", "Namespace istio-system", "note", ""),
        ("/api/v1/namespaces/knative-serving", "Namespace knative-serving", "missing", "serving"),
    ],
)
async def test_what_is_missing_is_told_before_anything_is_changed(
    absent: str, what: str, state: str, said: str
) -> None:
    async with world() as it:
        it.client.absent = frozenset({absent})
        finding = (await before(it))[what]
        assert finding.state == state
        assert said in finding.fix


@pytest.mark.parametrize(
    ("version", "state"),
    [("v1.29.9", "too old"), ("v1.30.0+k3s1", "ok"), ("v0.0.0-master+8e16b12", "note")],
)
async def test_the_version_of_kubernetes(version: str, state: str) -> None:
    async with world() as it:
        it.client.version = version
        assert (await before(it))["Kubernetes API"].state == state


@pytest.mark.parametrize(
    ("version", "state"), [("1.14.1", "too old"), ("1.22.0", "ok"), ("devel", "note"), ("", "note")]
)
def test_the_version_of_knative(version: str, state: str) -> None:
    """Built from its sources it is "devel": that is no reason to refuse it."""
    assert examine_knative(version).state == state


async def test_settings_that_will_stay_are_told_before() -> None:
    async with world() as it:
        features = {"kubernetes.podspec-affinity": "disabled"}
        await it.set_data("config-features", "knative-serving", features)
        finding = (await before(it))["config-features: kubernetes.podspec-affinity"]
        assert finding.state == "note"
        assert 'is "disabled" and stays so' in finding.detail
