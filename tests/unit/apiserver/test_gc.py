"""Owners, namespaces and definitions: what goes when something else goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from rouse.embedded.apiserver.memory import memory_api

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
NAMESPACES = "/api/v1/namespaces"


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await holds():
            await asyncio.sleep(0.01)


async def gone(api: httpx.AsyncClient, path: str) -> None:
    async def missing() -> bool:
        return (await api.get(path)).status_code == 404

    await eventually(missing)


def owned_by(owner: dict[str, Any], name: str, **more: Any) -> dict[str, Any]:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        **more,
    }
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


async def make(api: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.post(path, json=body)
    assert answer.status_code == 201, answer.text
    obj: dict[str, Any] = answer.json()
    return obj


async def test_dependents_go_with_their_owner(api: httpx.AsyncClient) -> None:
    owner = await make(api, CONFIG_MAPS, {"metadata": {"name": "owner"}})
    child = await make(api, CONFIG_MAPS, owned_by(owner, "child"))
    await make(api, SECRETS, owned_by(child, "grandchild"))
    await make(api, SECRETS, {"metadata": {"name": "stranger"}})
    await api.delete(f"{CONFIG_MAPS}/owner")
    await gone(api, f"{CONFIG_MAPS}/child")
    await gone(api, f"{SECRETS}/grandchild")
    assert (await api.get(f"{SECRETS}/stranger")).status_code == 200


async def test_one_living_owner_is_enough(api: httpx.AsyncClient) -> None:
    one = await make(api, CONFIG_MAPS, {"metadata": {"name": "one"}})
    two = await make(api, CONFIG_MAPS, {"metadata": {"name": "two"}})
    body = owned_by(one, "child")
    body["metadata"]["ownerReferences"] += owned_by(two, "x")["metadata"]["ownerReferences"]
    await make(api, CONFIG_MAPS, body)
    await api.delete(f"{CONFIG_MAPS}/one")

    async def one_left() -> bool:
        child = (await api.get(f"{CONFIG_MAPS}/child")).json()
        return [each["name"] for each in child["metadata"]["ownerReferences"]] == ["two"]

    await eventually(one_left)
    await api.delete(f"{CONFIG_MAPS}/two")
    await gone(api, f"{CONFIG_MAPS}/child")


async def test_an_owner_of_the_same_name_is_not_the_owner(api: httpx.AsyncClient) -> None:
    owner = await make(api, CONFIG_MAPS, {"metadata": {"name": "owner"}})
    owner["metadata"]["uid"] = "of-an-earlier-life"
    await make(api, CONFIG_MAPS, owned_by(owner, "child"))
    await gone(api, f"{CONFIG_MAPS}/child")
    assert (await api.get(f"{CONFIG_MAPS}/owner")).status_code == 200


async def test_orphans_stay(api: httpx.AsyncClient) -> None:
    owner = await make(api, CONFIG_MAPS, {"metadata": {"name": "owner"}})
    await make(api, CONFIG_MAPS, owned_by(owner, "child"))
    await api.delete(f"{CONFIG_MAPS}/owner", params={"propagationPolicy": "Orphan"})
    await gone(api, f"{CONFIG_MAPS}/owner")
    child = (await api.get(f"{CONFIG_MAPS}/child")).json()
    assert "ownerReferences" not in child["metadata"]


async def test_foreground_waits_for_the_dependents(api: httpx.AsyncClient) -> None:
    owner = await make(api, CONFIG_MAPS, {"metadata": {"name": "owner"}})
    body = owned_by(owner, "child", blockOwnerDeletion=True)
    body["metadata"]["finalizers"] = ["rouse.dev/test"]
    await make(api, CONFIG_MAPS, body)
    answer = await api.delete(f"{CONFIG_MAPS}/owner", params={"propagationPolicy": "Foreground"})
    assert answer.json()["metadata"]["finalizers"] == ["foregroundDeletion"]

    async def child_is_marked() -> bool:
        child = (await api.get(f"{CONFIG_MAPS}/child")).json()
        return "deletionTimestamp" in child["metadata"]

    await eventually(child_is_marked)
    assert (await api.get(f"{CONFIG_MAPS}/owner")).status_code == 200
    await api.patch(
        f"{CONFIG_MAPS}/child",
        content=b'{"metadata": {"finalizers": null}}',
        headers={"content-type": "application/merge-patch+json"},
    )
    await gone(api, f"{CONFIG_MAPS}/owner")
    await gone(api, f"{CONFIG_MAPS}/child")


async def test_orphans_of_an_earlier_run_are_found(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with memory_api(path, manifests=False) as (server, api):
        owner = await make(api, CONFIG_MAPS, {"metadata": {"name": "owner"}})
        await make(api, CONFIG_MAPS, owned_by(owner, "child"))
        store = server.state.store
        await store.remove("/configmaps", owner)  # the process dies before the collector acts
        await server.stop()
    async with memory_api(path, manifests=False) as (_, api):
        await gone(api, f"{CONFIG_MAPS}/child")


async def test_a_namespace_takes_its_contents_along(api: httpx.AsyncClient) -> None:
    await make(api, NAMESPACES, {"metadata": {"name": "team"}})
    inside = f"{NAMESPACES}/team/configmaps"
    await make(api, inside, {"metadata": {"name": "a"}})
    held = {"metadata": {"name": "b", "finalizers": ["rouse.dev/test"]}}
    await make(api, inside, held)
    marked = (await api.delete(f"{NAMESPACES}/team")).json()
    assert marked["status"]["phase"] == "Terminating"
    await gone(api, f"{inside}/a")
    refused = await api.post(inside, json={"metadata": {"name": "c"}})
    assert refused.status_code == 403
    assert refused.json()["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert (await api.get(f"{NAMESPACES}/team")).status_code == 200
    await api.patch(
        f"{inside}/b",
        content=b'{"metadata": {"finalizers": []}}',
        headers={"content-type": "application/merge-patch+json"},
    )
    await gone(api, f"{NAMESPACES}/team")


async def test_an_empty_namespace_goes_at_once(api: httpx.AsyncClient) -> None:
    created = await make(api, NAMESPACES, {"metadata": {"name": "team"}})
    assert created["status"]["phase"] == "Active"
    assert created["metadata"]["labels"] == {"kubernetes.io/metadata.name": "team"}
    await api.delete(f"{NAMESPACES}/team")
    await gone(api, f"{NAMESPACES}/team")


async def test_the_default_namespace_stays(api: httpx.AsyncClient) -> None:
    assert (await api.delete(f"{NAMESPACES}/default")).status_code == 403
