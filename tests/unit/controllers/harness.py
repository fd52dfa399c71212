"""The controller of InferenceServices on the real API's core, with Knative played by the test.

A reconcile is called by hand, and every copy is up to date before the next one, so that what is
written is always the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import orjson

from rouse.controllers.inferenceservice import Reconciler, Settings, Sources
from rouse.embedded.apiserver.admission_kserve import model_admission
from rouse.embedded.apiserver.admission_pods import pod_admission
from rouse.embedded.apiserver.admission_quota import quota_admission
from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.transport import ApiServerTransport
from rouse.errors import NotFoundError
from rouse.kube import EventRecorder, Informer, Key, KubeClient, Requeue, owner_reference
from rouse.kube.objects import Object, key_of, resource_version_of
from rouse.kube.resources import EVENTS, INFERENCE_SERVICES, KNATIVE_SERVICES, REVISIONS, Resource

KEY = Key("default", "iris")
NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def service(**predictor: Any) -> Object:
    """An InferenceService as users write it."""
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": KEY.name, "namespace": KEY.namespace},
        "spec": {"predictor": {"model": model, **predictor}},
    }


class Crash(BaseException):
    """The process ended here: nothing in it may run on."""


@dataclass
class Faults(httpx.AsyncBaseTransport):
    """Passes requests on, notes the writes, and fails those it was told to."""

    inner: httpx.AsyncBaseTransport
    writes: list[str] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    planned: list[tuple[str, int, str, str]] = field(default_factory=list)
    count: int = 0
    crash_after: int = 0
    """The write after which, once it is stored, the process is as good as gone; 0 for none."""

    def fail(self, what: str, code: int, reason: str, message: str = "no") -> None:
        """Let the next request whose ``METHOD plural/name`` begins so fail."""
        self.planned.append((what, code, reason, message))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        line = _short(request)
        self.requests[request.method] += 1
        for fault in self.planned:
            what, code, reason, message = fault
            if line.startswith(what):
                self.planned.remove(fault)
                status = {"kind": "Status", "code": code, "reason": reason, "message": message}
                return httpx.Response(code, content=orjson.dumps(status))
        response = await self.inner.handle_async_request(request)
        if request.method != "GET" and " events" not in line:
            self.writes.append(line)
            self.count += 1
            if self.count == self.crash_after:
                raise Crash
        return response


def _short(request: httpx.Request) -> str:
    parts = request.url.path.split("/")
    rest = parts[parts.index("namespaces") + 2 :] if "namespaces" in parts else parts[-2:]
    return f"{request.method} {'/'.join(rest)}"


class Harness:
    """One InferenceService's world."""

    key = KEY

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        http = httpx.AsyncClient(transport=faults, base_url="https://rouse.test")
        self.client = KubeClient(http)
        # The test's own writes are none of the controller's.
        self.user = KubeClient(
            httpx.AsyncClient(transport=faults.inner, base_url="https://rouse.test"),
            field_manager="user",
        )
        self.sources = Sources.of(self.client)
        self.recorder = EventRecorder(self.client, "test")
        self.settings = Settings(self.sources, self.recorder)
        self.crashes = 0
        self.informers = (*self.sources.all(), *self.further())
        self.reconcile = self._reconciler()
        self.changed = asyncio.Event()
        for informer in self.informers:
            informer.add_handler(lambda _type, _obj: self.changed.set())

    def further(self) -> tuple[Informer, ...]:
        """Make informers that another controller needs beside those of InferenceServices."""
        return ()

    def _reconciler(self) -> Callable[[Key], Awaitable[Requeue | None]]:
        return Reconciler(
            self.client, self.sources, self.settings, self.recorder, clock=lambda: NOW
        )

    async def start(self) -> None:
        # As on a cluster, where nobody writes the status of VirtualServices.
        await self.user.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "rouse-config", "namespace": "rouse-system"},
                "data": {"ingressStatus": "optional"},
            }
        )
        for informer in self.informers:
            await informer.start()
        for informer in self.informers:
            await informer.synced(5)
        await self.recorder.start()

    async def stop(self) -> None:
        await self.recorder.stop()
        for informer in self.informers:
            await informer.stop()

    async def caught_up(self) -> None:
        """Wait until every copy is what the API has."""
        async with asyncio.timeout(10):
            for informer in self.informers:
                while await self._behind(informer):
                    self.changed.clear()
                    await self.changed.wait()

    async def _behind(self, informer: Informer) -> bool:
        try:
            listed = await self.user.list(
                informer.resource, labels=informer._options.labels, fields=informer._options.fields
            )
        except NotFoundError:
            return not informer._options.optional
        wanted = {key_of(one): resource_version_of(one) for one in listed.items}
        return wanted != {key_of(one): resource_version_of(one) for one in informer.list()}

    async def settle(self) -> list[str]:
        """Reconcile until nothing is written any more; return what was written."""
        written: list[str] = []
        for _ in range(10):
            await self.caught_up()
            self.faults.writes.clear()
            try:
                await self.reconcile(self.key)
            except Crash:
                self.crashes += 1
                self.reconcile = self._reconciler()
            if not self.faults.writes:
                return written
            written += self.faults.writes
        raise AssertionError(f"never settles: {written}")

    # The user

    async def apply(self, obj: Object) -> Object:
        return await self.user.apply(obj)

    async def get(self, resource: Resource, name: str = KEY.name) -> Object:
        return await self.user.get(resource, name, KEY.namespace)

    async def names(self, resource: Resource) -> list[str]:
        return [key_of(one).name for one in (await self.user.list(resource, "default")).items]

    async def conditions(self) -> dict[str, str]:
        """Return ``{type: status}`` of the InferenceService."""
        status = (await self.get(INFERENCE_SERVICES)).get("status") or {}
        return {one["type"]: one["status"] for one in status.get("conditions") or ()}

    async def condition(self, type_: str) -> Object:
        status = (await self.get(INFERENCE_SERVICES))["status"]
        found: Object = next(one for one in status["conditions"] if one["type"] == type_)
        return found

    async def events(self) -> list[str]:
        assert await self.recorder.flush(5)
        events = (await self.user.list(EVENTS, "default")).items
        return [f"{one['type']} {one['reason']} x{one['count']}" for one in events]

    # Knative

    async def knative(self, revision: str, *, ready: bool = True, message: str = "") -> None:
        """Let Knative have made ``revision`` of its service's current template."""
        live = await self.get(KNATIVE_SERVICES, revision.rpartition("-")[0])
        await self.user.apply(_revision(live, revision))
        status = _conditions("Ready", ready=ready, message=message)
        await self._write_status(await self.get(REVISIONS, revision), status)
        before = (live.get("status") or {}).get("latestReadyRevisionName")
        names = {
            "observedGeneration": live["metadata"]["generation"],
            "latestCreatedRevisionName": revision,
            "latestReadyRevisionName": revision if ready else before,
        }
        status = {
            **_conditions("Ready", "ConfigurationsReady", "RoutesReady", ready=ready),
            **{name: value for name, value in names.items() if value},
        }
        await self._write_status(live, status)

    async def _write_status(self, live: Object, status: Object) -> None:
        await self.user.replace({**live, "status": status}, subresource="status")


def _conditions(*types: str, ready: bool, message: str = "") -> Object:
    one = {"status": "True"} if ready else {"status": "False", "reason": "R", "message": message}
    return {"conditions": [{"type": type_, **one} for type_ in types]}


def _revision(live: Object, name: str) -> Object:
    template = live["spec"]["template"]
    labels = {**template["metadata"]["labels"], "serving.knative.dev/service": key_of(live).name}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": {
            "name": name,
            "namespace": KEY.namespace,
            "labels": labels,
            "annotations": template["metadata"]["annotations"],
            "ownerReferences": [owner_reference(live)],
        },
        "spec": template["spec"],
    }


H = TypeVar("H", bound=Harness)


@asynccontextmanager
async def harness(*kinds: Object) -> AsyncIterator[Harness]:
    """A running world without an InferenceService; ``kinds`` are further definitions."""
    async with running(Harness, *kinds) as world:
        yield world


@asynccontextmanager
async def running(cls: type[H], *kinds: Object) -> AsyncIterator[H]:
    """A running world of this class; ``kinds`` are further definitions."""
    # Settings are not judged, as where the webhook that does so is away.
    admission = (model_admission, pod_admission, quota_admission)
    async with memory_api(admission=admission) as (server, _):
        world = cls(Faults(ApiServerTransport(server)))
        for definition in kinds:
            await world.apply(definition)
        await world.start()
        try:
            yield world
        finally:
            await world.stop()
