"""The asynchronous client: one connection to the API, one to the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Self

import httpx

from rouse.errors import GoneError, NotFoundError, PredictionError, RouseError
from rouse.kube.config import connect
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES, Resource, resource_of
from rouse.sdk.applied import Applied, compare
from rouse.sdk.conditions import NotReadyError, is_ready
from rouse.sdk.connection import Connection, locate
from rouse.sdk.documents import Source, load_documents
from rouse.sdk.requests import Prediction, prediction_request, read_prediction

__all__ = ["AsyncClient"]

_PREDICT_TIMEOUT_S = 330.0
"""A revision may hold a request for 300 s by default while it wakes."""


class AsyncClient:
    """Deploy, watch and call InferenceServices; use as an async context manager.

    ::

        async with AsyncClient() as rouse:
            await rouse.apply("isvc.yaml")
            await rouse.wait_ready("iris")
            print(await rouse.predict("iris", [[5.1, 3.5, 1.4, 0.2]]))
    """

    def __init__(
        self,
        kubeconfig: Path | str | None = None,
        *,
        gateway: str | None = None,
        namespace: str | None = None,
        connection: Connection | None = None,
    ) -> None:
        path = Path(kubeconfig) if kubeconfig is not None else None
        self._connection = connection or locate(path, gateway)
        self.namespace = namespace or self._connection.cluster.namespace or "default"
        self.kube = connect(self._connection.cluster, field_manager="rouse-cli")
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(_PREDICT_TIMEOUT_S, connect=5.0),
            limits=httpx.Limits(max_connections=256),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close both connections."""
        await self.kube.aclose()
        await self._http.aclose()

    async def apply(
        self, source: Iterable[Source] | Source, *, force: bool = False
    ) -> list[Applied]:
        """Server-side apply every object of the source; says what each call changed.

        ``force`` takes over fields that another manager (kubectl, say) owns; without it such a
        field raises ConflictError naming the manager.
        """
        done = []
        for document in load_documents(source):
            wanted = self._placed(document)
            resource, metadata = resource_of(wanted), wanted["metadata"]
            before: Object | None = None
            try:
                before = await self.kube.get(resource, metadata["name"], metadata.get("namespace"))
            except NotFoundError:
                pass
            warnings: list[str] = []
            after = await self.kube.apply(wanted, force=force, warned=warnings.append)
            done.append(compare(before, after, warnings))
        return done

    async def delete(self, source: Iterable[Source] | Source) -> list[Object]:
        """Delete every object of the source; those already gone are passed over."""
        gone = []
        for document in load_documents(source):
            wanted = self._placed(document)
            metadata = wanted["metadata"]
            try:
                await self.kube.delete(
                    resource_of(wanted), metadata["name"], metadata.get("namespace")
                )
            except NotFoundError:
                continue
            gone.append(wanted)
        return gone

    async def get(self, name: str, namespace: str | None = None) -> Object:
        """The InferenceService as the API shows it; raises NotFoundError."""
        return await self.kube.get(INFERENCE_SERVICES, name, namespace or self.namespace)

    async def services(self, namespace: str | None = None) -> list[Object]:
        """The InferenceServices of the namespace."""
        return (await self.kube.list(INFERENCE_SERVICES, namespace or self.namespace)).items

    async def wait_ready(
        self,
        name: str,
        namespace: str | None = None,
        *,
        timeout_s: float = 300.0,
        resource: Resource = INFERENCE_SERVICES,
    ) -> Object:
        """Wait until the newest spec is Ready; raises NotReadyError with the reasons on timeout.

        ``resource``: INFERENCE_GRAPHS for a graph.
        """
        place = namespace or self.namespace
        latest: Object | None = None
        try:
            async with asyncio.timeout(timeout_s):
                async for latest in self._follow(resource, name, place):
                    if is_ready(latest):
                        return latest
        except TimeoutError:
            pass
        raise NotReadyError(name, place, latest, timeout_s, kind=resource.kind)

    async def predict(
        self,
        name: str,
        payload: Any,
        namespace: str | None = None,
        *,
        resource: Resource = INFERENCE_SERVICES,
    ) -> dict[str, Any] | Any:
        """The answer's JSON. ``payload``: instances, or a whole V1 or V2 body.

        ``resource``: INFERENCE_GRAPHS for a graph.
        """
        return (await self.request(name, payload, namespace, resource=resource)).body

    async def request(
        self,
        name: str,
        payload: Any,
        namespace: str | None = None,
        *,
        resource: Resource = INFERENCE_SERVICES,
    ) -> Prediction:
        """Like `predict`, with the status and headers (Server-Timing of a cold start) beside it."""
        asked = await self.kube.get(resource, name, namespace or self.namespace)
        request = prediction_request(asked, payload, gateway=self._connection.gateway)
        try:
            answer = await self._http.post(
                request.url, content=request.body, headers=dict(request.headers)
            )
        except httpx.HTTPError as error:
            raise PredictionError(
                f"no answer from {request.url}: {error or type(error).__name__}", status=503
            ) from error
        return read_prediction(answer.status_code, dict(answer.headers), answer.content)

    def _placed(self, document: Object) -> Object:
        if not resource_of(document).namespaced or document["metadata"].get("namespace"):
            return document
        return {**document, "metadata": {**document["metadata"], "namespace": self.namespace}}

    async def _follow(self, resource: Resource, name: str, namespace: str) -> AsyncIterator[Object]:
        """The object now and after every change; lists again when a watch has grown too old."""
        while True:
            listed = await self.kube.list(resource, namespace)
            for isvc in listed.items:
                if isvc["metadata"]["name"] == name:
                    yield isvc
            try:
                async for event in self.kube.watch(
                    resource, namespace, resource_version=listed.resource_version
                ):
                    if event.object["metadata"].get("name") != name:
                        continue
                    if event.type == "DELETED":
                        raise RouseError(f"{resource.kind} {namespace}/{name} was deleted")
                    if event.type in ("ADDED", "MODIFIED"):
                        yield event.object
            except GoneError:
                continue
