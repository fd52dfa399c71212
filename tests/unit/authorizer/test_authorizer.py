"""The authorizer on a real API in memory: keys that come and go, hosts, and Secrets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from rouse.api.apikeys import Key, encode_hashes, find_key, hash_of, parse_keys
from rouse.authorizer import Authorizer, HostTable, decide
from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import InvalidError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Object
from rouse.kube.resources import SECRETS
from rouse.sdk.apikeys import add_key, remove_keys

HOST = "iris.default.example.com"


def key(name: str, text: str) -> Key:
    return Key(name, bytes.fromhex(hash_of(text).removeprefix("sha256:")))


EVE = key("eve", "rk_eve")


def policy(secret: str = "iris-api-keys", **operation: list[str]) -> Object:
    rules = [{"to": [{"operation": operation or {"hosts": [HOST, f"{HOST}:*"]}}]}]
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {
            "name": "rouse-api-key-default.iris",
            "namespace": "istio-system",
            "labels": {
                "rouse.dev/inferenceservice-namespace": "default",
                "serving.kserve.io/inferenceservice": "iris",
            },
            "annotations": {"rouse.dev/api-keys": secret},
        },
        "spec": {"action": "CUSTOM", "provider": {"name": "rouse-authorizer"}, "rules": rules},
    }


def secret(*keys: Key, name: str = "iris-api-keys", labelled: bool = True) -> Object:
    labels = {"rouse.dev/api-keys": "true"} if labelled else {}
    names = {one.name for one in keys}
    data = {each: encode_hashes([one for one in keys if one.name == each]) for each in names}
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


@asynccontextmanager
async def running(*objects: Object) -> AsyncIterator[tuple[KubeClient, Authorizer]]:
    async with memory_api() as (_, http):
        client = KubeClient(http)
        for obj in objects:
            await client.create(obj)
        authorizer = Authorizer(client, 0)
        await authorizer.start()
        try:
            yield client, authorizer
        finally:
            await authorizer.stop()


async def within_a_second(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(1):
        while not holds():
            await asyncio.sleep(0.005)  # the API in memory answers without giving way


async def test_keys_come_and_go_within_a_second() -> None:
    async with running(policy(), secret(key("ann", "one"))) as (client, authorizer):

        def status(text: str) -> int:
            return authorizer.judge(HOST, "/", {"x-api-key": text}).status

        assert [status("one"), status("two")] == [200, 403]
        # A rotation: both are good for a while.
        live = await client.get(SECRETS, "iris-api-keys", "default")
        await client.replace(add_key(live, "ann", "two", rotate=True))
        await within_a_second(lambda: status("two") == 200)
        assert status("one") == 200
        live = await client.get(SECRETS, "iris-api-keys", "default")
        await client.replace(remove_keys(live, "ann", old=True)[0])
        await within_a_second(lambda: status("one") == 403)
        assert status("two") == 200
        await client.delete(SECRETS, "iris-api-keys", "default")
        await within_a_second(lambda: status("two") == 403)
        assert authorizer.outcomes["wrong"] >= 2


async def test_it_answers_over_http_and_reads_no_secret_without_the_label(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hidden = secret(key("ann", "rk_hidden"), labelled=False)
    async with running(policy(), hidden) as (client, authorizer):
        url = f"http://127.0.0.1:{authorizer.port}"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            sent = {"host": HOST, "x-api-key": "rk_hidden"}
            refused = await http.post("/v1/models/iris:predict", headers=sent)
            assert refused.status_code == 403
            unknown = await http.get("/", headers={"host": "other"})
            assert unknown.status_code == 503
            await client.create(secret(key("bob", "rk_hidden"), name="other"))
            assert (await http.head("/", headers={"host": HOST})).status_code == 401
        assert "rk_hidden" not in caplog.text + refused.text


def test_paths_and_hosts_are_told_apart() -> None:
    by_path = policy("p", hosts=["example.com", "example.com:*"], paths=["/s/iris", "/s/iris/*"])
    table = HostTable.of([policy(), by_path, {**policy(), "spec": {"action": "DENY"}}])

    def found(host: str, path: str = "/") -> str | None:
        protected = table.find(host, path)
        return protected.secret.name if protected else None

    assert found(HOST.upper() + ":8080") == "iris-api-keys"
    assert found("example.com", "/s/iris?x=1") == "p"
    assert found("example.com", "/s/iris/v1") == "p"
    assert found("example.com", "/s/irises") is None
    assert found("elsewhere") is None


def elsewhere(policy_: Object, *, namespace: str, tenant: str) -> Object:
    """A policy as `policy_`, for an InferenceService of ``tenant``."""
    labels = {**policy_["metadata"]["labels"], "rouse.dev/inferenceservice-namespace": tenant}
    metadata = {**policy_["metadata"], "namespace": namespace, "labels": labels}
    return {**policy_, "metadata": {**metadata, "name": f"rouse-api-key-{tenant}.iris"}}


async def test_policies_outside_the_gateways_namespace_say_nothing() -> None:
    forged = elsewhere(policy(), namespace="tenant", tenant="tenant")
    stolen = secret(EVE)
    stolen["metadata"]["namespace"] = "tenant"
    tenant = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "tenant"}}
    async with running(tenant, forged, stolen) as (client, authorizer):
        assert authorizer.judge(HOST, "/", {"x-api-key": "rk_eve"}).status == 503
        await client.create(policy())
        await client.create(secret(key("ann", "rk_ann")))
        await within_a_second(
            lambda: authorizer.judge(HOST, "/", {"x-api-key": "rk_ann"}).status == 200
        )
        assert authorizer.judge(HOST, "/", {"x-api-key": "rk_eve"}).status == 403


@pytest.mark.parametrize("paths", [{}, {"paths": ["/s/iris", "/s/iris/*"]}])
def test_what_two_services_claim_is_closed(paths: dict[str, Any]) -> None:
    own = policy(hosts=[HOST, f"{HOST}:*"], **paths)
    other = elsewhere(own, namespace="istio-system", tenant="tenant")
    for policies in ([own, other], [other, own]):
        table = HostTable.of(policies)
        assert table.find(HOST, "/s/iris") is None
        sent = {"x-api-key": "rk_eve"}
        verdict = decide(HOST, "/s/iris", sent, table=table, keys_of=lambda _: (EVE,))
        assert verdict.status == 503
    assert HostTable.of([own, own]).find(HOST, "/s/iris") is not None


def test_a_name_that_the_client_made_up_is_taken_away_where_a_token_may_come() -> None:
    """Emptied it would still be there, which is all that Istio's condition asks."""
    open_to_tokens = policy()
    open_to_tokens["metadata"]["annotations"]["rouse.dev/tokens-too"] = "true"
    table = HostTable.of([open_to_tokens])
    for sent in ({}, {"x-rouse-api-key-name": "root"}, {"authorization": "Bearer a.b.c"}):
        verdict = decide(HOST, "/", sent, table=table, keys_of=lambda _: ())
        assert verdict.status == 200
        assert dict(verdict.headers) == {"x-envoy-auth-headers-to-remove": "x-rouse-api-key-name"}


def test_a_secret_holds_hashes_and_nothing_else() -> None:
    made = add_key(secret(), "ann", "rk_text", rotate=False)
    assert "rk_text" not in str(made)
    keys, unreadable = parse_keys({**made["data"], "plain": "cGxhaW4="})
    assert (keys, unreadable) == ((key("ann", "rk_text"),), ("plain",))
    assert find_key(keys, "rk_text") == keys[0]
    assert find_key(keys, "") is None
    with pytest.raises(InvalidError, match="--rotate makes a second one"):
        add_key(made, "ann", "more", rotate=False)
    # The third key of a rotation takes the first one away.
    twice = add_key(add_key(made, "ann", "b", rotate=True), "ann", "c", rotate=True)
    assert parse_keys(twice["data"])[0] == (key("ann", "b"), key("ann", "c"))
    gone, count = remove_keys(twice, "ann", old=False)
    assert (gone["data"], count) == ({}, 2)
    with pytest.raises(InvalidError, match="there are: none"):
        remove_keys(gone, "ann", old=False)
