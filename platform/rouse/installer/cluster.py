"""The installer's port to a cluster: any kind, found by discovery."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import orjson

from rouse.errors import ApiError, ConflictError, InvalidError, NotFoundError
from rouse.installer.policy import MANAGER
from rouse.kube.client import KubeClient
from rouse.kube.objects import Object
from rouse.kube.requests import ApiRequest, PatchKind
from rouse.kube.resources import PODS, Resource

__all__ = ["Cluster", "Sleep"]

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[object]]

_RETRY_S: Final = 1.0


class Cluster:
    """Verbs on objects of any kind that the API serves.

    ``sleep`` waits that many seconds. Methods raise ApiError as the client does; failures that may
    pass, such as a webhook that is just being replaced, are tried again ``attempts`` times.
    """

    def __init__(
        self, client: KubeClient, *, sleep: Sleep = asyncio.sleep, attempts: int = 10
    ) -> None:
        self.client = client
        self.sleep = sleep
        self._attempts = attempts
        self._known: dict[tuple[str, str], Resource] = {}

    async def version(self) -> str:
        """Return the ``gitVersion`` of the API server."""
        told = await self.client.send(ApiRequest("GET", "/version"))
        return str(told.get("gitVersion", ""))

    async def find(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource of a kind; None where the API does not serve it (yet)."""
        if (api_version, kind) not in self._known:
            await self._discover(api_version)
        return self._known.get((api_version, kind))

    async def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> Object | None:
        """Return an object; None where it, or its kind, is not there."""
        resource = await self.find(api_version, kind)
        if resource is None:
            return None
        try:
            return await self._patiently(lambda: self.client.get(resource, name, namespace or None))
        except NotFoundError:
            return None

    async def live(self, obj: Mapping[str, Any]) -> Object | None:
        """Return the live object of an object."""
        metadata = obj["metadata"]
        return await self.get(
            obj["apiVersion"], obj["kind"], metadata["name"], metadata.get("namespace")
        )

    async def all(self, api_version: str, kind: str, **options: Any) -> list[Object]:
        """Return the objects of a kind; none where the kind is not served."""
        resource = await self.find(api_version, kind)
        if resource is None:
            return []
        return (await self.client.list(resource, **options)).items

    async def pods(self, namespace: str | None, labels: str) -> list[Object]:
        """Return the pods with these labels; None looks into every namespace."""
        return (await self.client.list(PODS, namespace, labels=labels)).items

    async def apply(
        self, obj: Mapping[str, Any], *, force: bool = True, dry_run: bool = False
    ) -> Object:
        """Server-side apply an object as the installer's field manager."""
        resource = await self._served(obj["apiVersion"], obj["kind"])
        metadata = obj["metadata"]
        params = {"fieldManager": MANAGER, "force": "true" if force else "false"}
        if dry_run:
            params["dryRun"] = "All"
        request = ApiRequest(
            "PATCH",
            resource.path(metadata.get("namespace"), metadata["name"]),
            params,
            orjson.dumps(obj),
            PatchKind.APPLY,
        )
        return await self._patiently(lambda: self.client.send(request))

    async def delete(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> None:
        """Delete a live object, if it is still that one and still there."""
        if dry_run:
            return
        resource = await self._served(obj["apiVersion"], obj["kind"])
        metadata = obj["metadata"]
        try:
            await self.client.delete(
                resource, metadata["name"], metadata.get("namespace"), uid=metadata.get("uid")
            )
        except NotFoundError:
            return

    async def _served(self, api_version: str, kind: str) -> Resource:
        for _ in range(self._attempts):
            resource = await self.find(api_version, kind)
            if resource is not None:
                return resource
            # An established definition takes a moment to be served.
            await self.sleep(_RETRY_S)
        raise InvalidError(f"the API serves no {kind} ({api_version})")

    async def _discover(self, api_version: str) -> None:
        group, _, version = api_version.rpartition("/")
        path = f"/apis/{api_version}" if group else f"/api/{api_version}"
        try:
            listed = await self._patiently(lambda: self.client.send(ApiRequest("GET", path)))
        except NotFoundError:
            return
        for each in listed.get("resources") or ():
            if "/" not in each["name"]:
                self._known[api_version, each["kind"]] = Resource(
                    group, version, each["kind"], each["name"], bool(each.get("namespaced"))
                )

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        for _ in range(self._attempts - 1):
            try:
                return await call()
            except ConflictError:
                raise
            except ApiError as error:
                if not error.retryable:
                    raise
                await self.sleep(_RETRY_S)
        return await call()
