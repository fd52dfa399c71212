"""The authorizer under the rights that the manifests give it, and no others."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from rouse.api.apikeys import Key, encode_hashes, hash_of
from rouse.authorizer import Authorizer
from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.transport import ApiServerTransport
from rouse.errors import RejectedError
from rouse.installer.authorizer import AuthorizerScope, option_of
from rouse.installer.selection import Selection, select
from rouse.kube.client import KubeClient
from rouse.kube.objects import Object

PATH = re.compile(r"/(?:api|apis/(?P<group>[^/]+))/[^/]+(?:/namespaces/(?P<place>[^/]+))?/(\w+)$")
GATEWAY = "gateways"


class Rights(httpx.AsyncBaseTransport):
    """Lets pass what Roles and ClusterRoles allow, as Kubernetes' RBAC does; counts the rest."""

    def __init__(self, inner: httpx.AsyncBaseTransport, objects: list[Object]) -> None:
        self._inner = inner
        self._roles = [each for each in objects if each["kind"] in ("Role", "ClusterRole")]
        self.refused: set[str] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        found = PATH.match(request.url.path)
        assert found is not None
        verb = "watch" if "watch" in request.url.params else "list"
        if self._allows(verb, found["group"] or "", found[3], found["place"]):
            return await self._inner.handle_async_request(request)
        self.refused.add(request.url.path)
        status = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": "forbidden"}
        return httpx.Response(403, json=status)

    def _allows(self, verb: str, group: str, resource: str, place: str | None) -> bool:
        return any(
            group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]
            for role in self._roles
            if role["kind"] == "ClusterRole" or role["metadata"]["namespace"] == place
            for rule in role["rules"]
        )


def component(scope: AuthorizerScope) -> list[Object]:
    objects = select(Selection("minimal", ("api-keys",), authorizer=scope))
    return [each for each in objects if each["metadata"]["name"].startswith("rouse-authorizer")]


def policy(tenant: str, gateway: str) -> Object:
    hosts = [f"iris.{tenant}.example.com"]
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {
            "name": f"rouse-api-key-{tenant}.iris",
            "namespace": gateway,
            "labels": {
                "rouse.dev/inferenceservice-namespace": tenant,
                "serving.kserve.io/inferenceservice": "iris",
            },
            "annotations": {"rouse.dev/api-keys": "keys"},
        },
        "spec": {
            "action": "CUSTOM",
            "provider": {"name": "rouse-authorizer"},
            "rules": [{"to": [{"operation": {"hosts": hosts}}]}],
        },
    }


def tenant_objects(tenant: str, gateway: str) -> list[Object]:
    key = Key("ann", bytes.fromhex(hash_of(f"rk_{tenant}").removeprefix("sha256:")))
    metadata = {"name": "keys", "namespace": tenant, "labels": {"rouse.dev/api-keys": "true"}}
    data = {"ann": encode_hashes([key])}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": tenant}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data},
        policy(tenant, gateway),
    ]


@asynccontextmanager
async def installed(
    scope: AuthorizerScope, *tenants: str, without: str = "-"
) -> AsyncIterator[tuple[Authorizer, Rights]]:
    """The authorizer as the objects of an installation start it, and limit it.

    Objects of the namespace ``without`` are gone.
    """
    made = component(scope)
    objects = [each for each in made if each["metadata"].get("namespace") != without]
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    async with memory_api() as (server, http):
        client = KubeClient(http)
        if scope.gateway_namespace != "istio-system":
            metadata = {"name": scope.gateway_namespace}
            await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        for tenant in tenants:
            for obj in tenant_objects(tenant, scope.gateway_namespace):
                await client.create(obj)
        rights = Rights(ApiServerTransport(server), objects)
        base = "https://rouse.test"
        async with httpx.AsyncClient(transport=rights, base_url=base) as limited:
            authorizer = Authorizer(
                KubeClient(limited),
                0,
                namespace=option_of(deployment, "--gateway-namespace"),
                key_namespaces=[
                    each for each in option_of(deployment, "--namespaces").split(",") if each
                ],
            )
            await authorizer.start()
            try:
                yield authorizer, rights
            finally:
                await authorizer.stop()


def status(authorizer: Authorizer, tenant: str, key: str = "") -> int:
    sent = {"x-api-key": key or f"rk_{tenant}"}
    return authorizer.judge(f"iris.{tenant}.example.com", "/", sent).status


async def test_everywhere_is_the_default() -> None:
    async with installed(AuthorizerScope(), "a", "b") as (authorizer, rights):
        assert [status(authorizer, "a"), status(authorizer, "b")] == [200, 200]
        assert status(authorizer, "b", "rk_a") == 403
        assert not rights.refused


async def test_keys_of_other_namespaces_are_not_read(caplog: pytest.LogCaptureFixture) -> None:
    scope = AuthorizerScope(("a",), GATEWAY)
    async with installed(scope, "a", "b") as (authorizer, rights):
        assert status(authorizer, "a") == 200
        assert status(authorizer, "a", "wrong") == 403
        verdict = authorizer.judge("iris.b.example.com", "/", {"x-api-key": "rk_b"})
        assert verdict.status == 503
        assert b'namespace \\"b\\" are not read here' in verdict.body
        assert not rights.refused
        assert not authorizer.unsynced
        assert "may not be read" not in caplog.text


async def test_keys_are_unknown_some_time_after_the_right_to_read_them_is_gone() -> None:
    """Whoever revokes one then cannot be heard."""
    async with installed(AuthorizerScope(("a", "b")), "a", "b") as (authorizer, _):
        (copy,) = [each for name, each in authorizer._keys._informers.items() if name == "a"]
        copy.last_error = RejectedError("forbidden", status=403)
        assert status(authorizer, "a") == 200
        assert copy.heard_at is not None
        copy.heard_at -= 200.0
        assert [status(authorizer, "a"), status(authorizer, "b")] == [503, 200]
        copy.last_error = None
        assert status(authorizer, "a") == 200


async def test_a_namespace_that_is_gone_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its Role went with it, so that its Secrets may not be listed any more."""
    scope = AuthorizerScope(("a", "gone"))
    async with installed(scope, "a", "gone", without="gone") as (authorizer, rights):
        assert rights.refused
        assert [status(authorizer, "a"), status(authorizer, "gone")] == [200, 503]
        assert not authorizer.unsynced
        assert "namespace gone may not be read" in caplog.text
