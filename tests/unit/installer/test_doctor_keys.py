"""What the doctor finds where gateway, policies and keys are not where the authorizer looks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rouse.compiler.config import Config
from rouse.installer.access import access_findings
from rouse.installer.authorizer import AuthorizerScope
from rouse.installer.findings import Finding
from rouse.installer.install import read_inventory
from rouse.installer.inventory import Inventory
from rouse.installer.selection import Selection, select
from rouse.kube.objects import Object
from tests.unit.installer.world import World, world

AGAIN = "rouse install --overlay production --component api-keys"
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def config(gateway: str) -> Config:
    auth = f"{{default: api-key, gatewayNamespace: {gateway}}}"
    return Config.from_config_map({"data": {"auth": auth}})


async def make_namespaces(it: World, *names: str) -> None:
    for name in names:
        await it.user.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


async def run_authorizer(it: World, scope: AuthorizerScope) -> None:
    for obj in select(Selection("minimal", ("api-keys",), authorizer=scope)):
        if (obj["kind"], obj["metadata"]["name"]) == ("Deployment", "rouse-authorizer"):
            await it.user.apply(obj)
    await it.run_deployment("rouse-authorizer")


def policy(tenant: str, gateway: str) -> Object:
    metadata = {
        "name": f"rouse-api-key-{tenant}.iris",
        "namespace": gateway,
        "labels": {"rouse.dev/inferenceservice-namespace": tenant},
    }
    spec = {"action": "CUSTOM", "provider": {"name": "rouse-authorizer"}, "rules": [{}]}
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": metadata,
        "spec": spec,
    }


async def found(it: World, gateway: str) -> dict[str, Finding]:
    examined = access_findings(it.cluster, config(gateway), NOW, again=AGAIN)
    return {each.what: each async for each in examined}


async def test_a_gateway_in_another_namespace_is_found() -> None:
    async with world() as it:
        await make_namespaces(it, "gateways")
        pod: Object = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "gateway",
                "namespace": "gateways",
                "labels": {"istio": "ingressgateway"},
            },
            "spec": {"containers": [{"name": "proxy", "image": "proxy"}]},
        }
        await it.user.apply(pod)
        gateway = (await found(it, "istio-system"))["auth.gatewayNamespace"]
        assert gateway.state == "invalid"
        assert "in gateways: Istio reads policies in their namespace only" in gateway.detail
        assert "--gateway-namespace" in gateway.detail
        assert (await found(it, "gateways"))["auth.gatewayNamespace"].state == "ok"


@pytest.mark.parametrize(
    ("scope", "said", "fix"),
    [
        (AuthorizerScope(("a",), "gateways"), "", ""),
        (AuthorizerScope((), "gateways"), "", ""),
        (
            AuthorizerScope(("a",)),
            "it looks for policies in istio-system, and auth.gatewayNamespace is gateways",
            f"{AGAIN} --gateway-namespace gateways",
        ),
        (
            AuthorizerScope(("b", "c"), "gateways"),
            "it may not read keys in a: models there answer 503",
            f"{AGAIN} --authorizer-namespaces b,c,a",
        ),
    ],
    ids=["limited", "everywhere", "gateway", "keys"],
)
async def test_an_authorizer_that_looks_elsewhere_is_told(
    scope: AuthorizerScope, said: str, fix: str
) -> None:
    async with world() as it:
        await make_namespaces(it, "rouse-system", "gateways", "a")
        await run_authorizer(it, scope)
        await it.user.apply(policy("a", "gateways"))
        finding = (await found(it, "gateways"))["API keys: authorizer"]
        assert (finding.state, finding.fix) == ("invalid" if said else "ok", fix)
        assert said in finding.detail


async def test_the_remedy_keeps_what_was_installed() -> None:
    async with world() as it:
        selection = Selection("minimal", ("api-keys",), authorizer=AuthorizerScope(("a",)))
        await it.install("minimal", options=selection.options)
        inventory = await read_inventory(it.cluster)
        assert inventory.command == (
            "rouse install --overlay minimal --component api-keys --authorizer-namespaces a"
        )
    assert Inventory(overlay="gpu").command == "rouse install --overlay gpu"
