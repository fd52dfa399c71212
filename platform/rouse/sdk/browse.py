"""Reading any resource by the names kubectl takes (plural, singular, kind, short name)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rouse.errors import InvalidError
from rouse.kube.client import KubeClient
from rouse.kube.config import connect
from rouse.kube.objects import Object
from rouse.kube.requests import ApiRequest
from rouse.kube.resources import Resource
from rouse.sdk.connection import locate

__all__ = ["fetch"]

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def fetch(
    resource: str,
    name: str | None,
    *,
    kubeconfig: Path | None,
    namespace: str | None,
    all_namespaces: bool,
    as_table: bool,
) -> Object:
    """One object, a list, or the server's Table of either."""
    return asyncio.run(_fetch(resource, name, kubeconfig, namespace, all_namespaces, as_table))


async def _fetch(
    wanted: str,
    name: str | None,
    kubeconfig: Path | None,
    namespace: str | None,
    all_namespaces: bool,
    as_table: bool,
) -> Object:
    connection = locate(kubeconfig)
    client = connect(connection.cluster)
    try:
        resource = await _resolve(client, wanted)
        place = None
        if resource.namespaced and not all_namespaces:
            place = namespace or connection.cluster.namespace or "default"
        path = resource.path(place, name)
        accept = _TABLE if as_table else "application/json"
        return await client.send(ApiRequest("GET", path, accept=accept))
    finally:
        await client.aclose()


async def _resolve(client: KubeClient, wanted: str) -> Resource:
    """The resource that kubectl would take the name for: core first, then by group name."""
    sought, _, group = wanted.lower().partition(".")
    known: set[str] = set()
    for path in ("/api", "/apis"):
        discovery = await client.send(ApiRequest("GET", path, accept=_DISCOVERY))
        for item in discovery.get("items", []):
            found = _in_group(item, sought, group, known)
            if found is not None:
                return found
    raise InvalidError(f'the API has no resource "{wanted}"; it has: {", ".join(sorted(known))}')


def _in_group(item: Object, sought: str, group: str, known: set[str]) -> Resource | None:
    """The resource, in the first version of the group that has it."""
    name = item["metadata"].get("name", "")
    if group and not name.startswith(group):
        return None
    for version in item["versions"]:
        for entry in version["resources"]:
            known.add(entry["resource"])
            if sought in _names(entry):
                return Resource(
                    group=name,
                    version=version["version"],
                    kind=entry["responseKind"]["kind"],
                    plural=entry["resource"],
                    namespaced=entry["scope"] == "Namespaced",
                )
    return None


def _names(entry: Object) -> set[str]:
    return {
        entry["resource"],
        entry.get("singularResource", ""),
        entry["responseKind"]["kind"].lower(),
        *entry.get("shortNames", []),
    }
