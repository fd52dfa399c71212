"""The cluster under test: its API, its ingress, and waiting for it with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from rouse.errors import ApiError, GoneError, NotFoundError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Object, condition_of
from rouse.kube.resources import EVENTS, INFERENCE_SERVICES, KNATIVE_SERVICES, Resource
from rouse.sdk.conditions import explain, is_ready
from tests.conformance.helpers import MODEST
from tests.conformance.models import FIRST, Models
from tests.conformance.options import Options

__all__ = ["Cluster", "ksvc_name"]

READY_S = 90.0
_PAUSE_S = 0.1


def ksvc_name(name: str, component: str = "predictor") -> str:
    """The Knative Service or Deployment of a component."""
    return f"{name}-{component}"


@dataclass(frozen=True)
class Cluster:
    """What a test may speak to: an API by its kubeconfig, and an ingress address."""

    options: Options
    kube: KubeClient
    http: httpx.AsyncClient
    """To the ingress; the Host header says which service."""
    models: Models

    @property
    def namespace(self) -> str:
        """The run's own namespace."""
        return self.options.namespace

    def seconds(self, wanted: float) -> float:
        """A deadline on this cluster."""
        return wanted * self.options.factor

    # -- objects -------------------------------------------------------------

    async def get(self, resource: Resource, name: str) -> Object:
        """One object of the namespace; raises NotFoundError."""
        return await self.kube.get(resource, name, self.namespace)

    async def find(self, resource: Resource, name: str) -> Object | None:
        """One object of the namespace, if it is there."""
        try:
            return await self.get(resource, name)
        except NotFoundError:
            return None

    async def delete(self, resource: Resource, name: str) -> None:
        """Delete an object, if it is there."""
        try:
            await self.kube.delete(resource, name, self.namespace)
        except NotFoundError:
            return

    async def until(
        self,
        resource: Resource,
        holds: Callable[[list[Object]], bool],
        *,
        labels: str | None = None,
        namespace: str | None = None,
        timeout_s: float = READY_S,
    ) -> list[Object]:
        """Watch a collection until it is as wanted; TimeoutError says what it was last."""
        known: dict[str, Object] = {}
        place = namespace or self.namespace
        try:
            async with asyncio.timeout(self.seconds(timeout_s)):
                while True:
                    listed = await self.kube.list(resource, place, labels=labels)
                    known = {item["metadata"]["name"]: item for item in listed.items}
                    if holds([*known.values()]):
                        return [*known.values()]
                    version = listed.resource_version
                    if await self._follow(resource, place, version, labels, known, holds):
                        return [*known.values()]
        except TimeoutError as error:
            told = {key: item.get("status", item.get("spec")) for key, item in known.items()}
            raise TimeoutError(f"{resource.plural} of {place} were still {told}") from error

    async def _follow(
        self,
        resource: Resource,
        namespace: str,
        version: str,
        labels: str | None,
        known: dict[str, Object],
        holds: Callable[[list[Object]], bool],
    ) -> bool:
        """Keep ``known`` up to date until it is as wanted; False when the watch has to be anew."""
        try:
            async for event in self.kube.watch(
                resource, namespace, resource_version=version, labels=labels
            ):
                if event.type == "DELETED":
                    known.pop(event.object["metadata"]["name"], None)
                elif event.type in ("ADDED", "MODIFIED"):
                    known[event.object["metadata"]["name"]] = event.object
                if holds([*known.values()]):
                    return True
        except GoneError:
            pass
        return False

    async def until_one(
        self,
        resource: Resource,
        name: str,
        holds: Callable[[Object], bool],
        *,
        timeout_s: float = READY_S,
    ) -> Object:
        """Watch until the object of that name is there and as wanted."""

        def found(items: list[Object]) -> bool:
            return any(item["metadata"]["name"] == name and holds(item) for item in items)

        try:
            items = await self.until(resource, found, timeout_s=timeout_s)
        except TimeoutError:
            last = await self.find(resource, name) or {}
            told = last.get("status", last.get("spec", "not there"))
            raise TimeoutError(f"{resource.kind} {name} was still {told}") from None
        return next(item for item in items if item["metadata"]["name"] == name)

    async def until_gone(
        self, resource: Resource, name: str, *, timeout_s: float = READY_S
    ) -> None:
        """Watch until no object has that name or one that begins with it."""

        def gone(items: list[Object]) -> bool:
            names = [item["metadata"]["name"] for item in items]
            return not any(one == name or one.startswith(f"{name}-") for one in names)

        await self.until(resource, gone, timeout_s=timeout_s)

    # -- InferenceServices, and graphs of them -----------------------------------------------------

    async def apply(self, isvc: Object, *, field_manager: str | None = None) -> Object:
        """Server-side apply."""
        return await self.kube.apply(isvc, field_manager=field_manager)

    async def ready(
        self, name: str, *, resource: Resource = INFERENCE_SERVICES, timeout_s: float = READY_S
    ) -> Object:
        """Wait until the newest spec is ready; TimeoutError has the reasons."""
        try:
            return await self.until_one(resource, name, is_ready, timeout_s=timeout_s)
        except TimeoutError:
            live = await self.find(resource, name)
            told = explain(live) if live else "it is not there"
            raise TimeoutError(f"{name} was not ready: {told}") from None

    async def deploy(self, isvc: Object) -> Object:
        """Apply, wait until it is ready and until the ingress has it; the live object."""
        await self.apply(isvc)
        live = await self.ready(isvc["metadata"]["name"])
        await self.until_answer(
            live, "GET", "/v2/health/ready", lambda told: told.status_code < 500
        )
        return live

    async def told(
        self,
        name: str,
        type_: str,
        status: str = "False",
        *,
        resource: Resource = INFERENCE_SERVICES,
        timeout_s: float = READY_S,
    ) -> Object:
        """The condition once it has that status, of the newest generation."""

        def holds(live: Object) -> bool:
            observed = (live.get("status") or {}).get("observedGeneration")
            condition = condition_of(live, type_) or {}
            return condition.get("status") == status and (
                observed == live["metadata"]["generation"]
            )

        live = await self.until_one(resource, name, holds, timeout_s=timeout_s)
        return condition_of(live, type_) or {}

    async def ksvc(self, name: str, component: str = "predictor") -> Object:
        """The compiled Knative Service, once it is there."""
        return await self.until_one(
            KNATIVE_SERVICES, ksvc_name(name, component), lambda _: True, timeout_s=30
        )

    async def template(self, name: str, component: str = "predictor") -> Object:
        """The compiled pod template of a component."""
        found: Object = (await self.ksvc(name, component))["spec"]["template"]
        return found

    async def until_event(
        self,
        name: str,
        reason: str,
        *,
        resource: Resource = INFERENCE_SERVICES,
        timeout_s: float = 30,
    ) -> Object:
        """The Event with that reason about the object, once it is there."""

        def about(events: list[Object]) -> list[Object]:
            return [
                event
                for event in events
                if event.get("reason") == reason
                and event["involvedObject"].get("name") == name
                and event["involvedObject"].get("kind") == resource.kind
            ]

        found = await self.until(EVENTS, lambda each: bool(about(each)), timeout_s=timeout_s)
        return about(found)[-1]

    # -- requests ----------------------------------------------------------------

    async def ask(
        self,
        isvc: Object | str,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One request at the ingress, to the host of a live InferenceService or of a URL."""
        url = isvc if isinstance(isvc, str) else isvc["status"]["url"]
        host = urlsplit(url).netloc
        return await self.http.request(
            method, path, json=json, content=content, headers={**(headers or {}), "host": host}
        )

    async def predict(
        self, isvc: Object, rows: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A V1 prediction of the rows, or of the flower on which the models disagree."""
        path = f"/v1/models/{isvc['metadata']['name']}:predict"
        instances = [self.models.flower.row] if rows is None else rows
        return await self.ask(isvc, "POST", path, json={"instances": instances}, headers=headers)

    async def label(self, isvc: Object, **options: Any) -> int:
        """The one label predicted for the flower; AssertionError for any other answer."""
        answer = await self.predict(isvc, **options)
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()["predictions"]
        return int(found)

    async def until_answer(
        self,
        isvc: Object | str,
        method: str,
        path: str,
        holds: Callable[[httpx.Response], bool],
        *,
        json: Any = None,
        timeout_s: float = 30,
    ) -> httpx.Response:
        """Ask until the answer is as wanted: a gateway tells nobody when it has its routes."""
        answer: httpx.Response | None = None

        async def answered() -> bool:
            nonlocal answer
            answer = await self.ask(isvc, method, path, json=json)
            return holds(answer)

        try:
            await self.eventually(answered, timeout_s=timeout_s)
        except TimeoutError:
            last = f"{answer.status_code} {answer.text[:500]}" if answer is not None else "nothing"
            raise TimeoutError(f"{method} {path} was still answered by: {last}") from None
        assert answer is not None
        return answer

    async def eventually(
        self, holds: Callable[[], Awaitable[bool]], *, timeout_s: float = 30
    ) -> None:
        """Look until it holds, for what cannot be watched."""
        async with asyncio.timeout(self.seconds(timeout_s)):
            while not await holds():
                await asyncio.sleep(_PAUSE_S)

    # -- manifests ---------------------------------------------------------------

    def isvc(
        self,
        name: str,
        *,
        model: str = FIRST,
        annotations: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        model_fields: Mapping[str, Any] | None = None,
        **predictor: Any,
    ) -> Object:
        """An InferenceService of one of the models; one replica that stays, unless told."""
        source = {
            "modelFormat": {"name": "sklearn"},
            "storageUri": self.models.uri(model),
            "resources": MODEST,
            **(model_fields or {}),
        }
        return self.custom(
            name,
            {"minReplicas": 1, "model": source, **predictor},
            annotations=annotations,
            labels=labels,
        )

    def custom(
        self,
        name: str,
        predictor: Mapping[str, Any],
        *,
        annotations: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        **components: Any,
    ) -> Object:
        """An InferenceService of these components."""
        metadata: Object = {"name": name, "namespace": self.namespace}
        if annotations:
            metadata["annotations"] = dict(annotations)
        if labels:
            metadata["labels"] = dict(labels)
        return {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": metadata,
            "spec": {"predictor": dict(predictor), **components},
        }


def words_in(error: ApiError, *words: str) -> bool:
    """Whether a refusal names all of these."""
    return all(word in str(error) for word in words)
