"""An API in trouble, and controller processes that die of it, on the real API's core.

`FaultyApi` stands between a controller process and the API; users and Knative have a way of their
own. `Supervisor` starts a new process when one has crashed, as a Deployment does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import orjson

from rouse.controllers.inferenceservice import make_manager
from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.transport import ApiServerTransport
from rouse.errors import NotFoundError
from rouse.kube import Informer, Key, KubeClient, owner_reference
from rouse.kube.apply import APPLIED
from rouse.kube.manager import Manager
from rouse.kube.objects import Object, condition_of, key_of, uid_of
from rouse.kube.resources import (
    DEPLOYMENTS,
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    REVISIONS,
    SERVICES,
    VIRTUAL_SERVICES,
    Resource,
)
from tests.unit.controllers.harness import KEY, NOW, service

SEEN = (
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    REVISIONS,
    SERVICES,
    VIRTUAL_SERVICES,
    DEPLOYMENTS,
)
"""What the end of a story is told by."""

Fault = Callable[["FaultyApi", httpx.Request], "asyncio.Future[httpx.Response] | Any"]


def refuse(code: int, reason: str, **headers: str) -> Fault:
    """Answer without having done anything."""

    async def fault(_api: FaultyApi, _request: httpx.Request) -> httpx.Response:
        status = {"kind": "Status", "code": code, "reason": reason, "message": f"induced {code}"}
        return httpx.Response(code, content=orjson.dumps(status), headers=headers)

    return fault


def unreachable() -> Fault:
    async def fault(_api: FaultyApi, _request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("induced: refused")

    return fault


def unanswered(error: type[httpx.TransportError] = httpx.ReadTimeout) -> Fault:
    """Do what is asked, and let the answer be lost."""

    async def fault(api: FaultyApi, request: httpx.Request) -> httpx.Response:
        await api.pass_on(request)
        raise error("induced: no answer")

    return fault


def slow(seconds: float = 0.05) -> Fault:
    async def fault(api: FaultyApi, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(seconds)
        return await api.pass_on(request)

    return fault


FAULTS: dict[str, Callable[[], Fault]] = {
    "conflict": lambda: refuse(409, "Conflict"),
    "too many": lambda: refuse(429, "TooManyRequests", **{"retry-after": "0.02"}),
    "internal": lambda: refuse(500, "InternalError"),
    "unavailable": lambda: refuse(503, "ServiceUnavailable"),
    "unreachable": unreachable,
    "answer lost": unanswered,
    "connection lost": lambda: unanswered(httpx.ReadError),
    "slow": slow,
}
"""What may befall any single request."""


class Lines(httpx.AsyncByteStream):
    """A watch whose events come late, twice, or not to the end."""

    def __init__(self, inner: httpx.Response, plan: WatchPlan) -> None:
        self._inner = inner
        self._plan = plan

    async def __aiter__(self) -> AsyncIterator[bytes]:
        count = 0
        async for line in self._inner.aiter_bytes():
            if self._plan.drop_after is not None and count >= self._plan.drop_after:
                raise httpx.ReadError("induced: the watch broke")
            if self._plan.gone_after is not None and count >= self._plan.gone_after:
                status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "induced"}
                yield orjson.dumps({"type": "ERROR", "object": status}) + b"\n"
                return
            if self._plan.late:
                await asyncio.sleep(self._plan.late)
            for _ in range(2 if self._plan.twice else 1):
                yield line
            count += 1

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass(frozen=True)
class WatchPlan:
    """How watches fare: all times in seconds, all counts in events."""

    drop_after: int | None = None
    gone_after: int | None = None
    late: float = 0.0
    twice: bool = False


@dataclass
class FaultyApi(httpx.AsyncBaseTransport):
    """Passes requests on but for those with a fault; counts the writes, events apart."""

    inner: httpx.AsyncBaseTransport
    faults: dict[int, Fault] = field(default_factory=dict)
    """By the number of the request, watches not counted, from 1."""
    watches: WatchPlan = field(default_factory=WatchPlan)
    refused: Callable[[httpx.Request], Fault | None] = lambda _request: None
    """For faults that depend on the request."""
    crash_after: int = 0
    """The write after which, once it is stored, nothing is heard any more; 0 for none."""
    requests: int = 0
    writes: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    crashed: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.crashed.is_set():
            await asyncio.Event().wait()
        if request.url.params.get("watch"):
            response = await self.inner.handle_async_request(request)
            if response.status_code >= 400 or self.watches == WatchPlan():
                return response
            return httpx.Response(200, stream=Lines(response, self.watches))
        self.requests += 1
        self.seen[f"{request.method} {request.url.path.rpartition('/namespaces/')[2]}"] += 1
        fault = self.faults.pop(self.requests, None) or self.refused(request)
        if fault is not None:
            answer: httpx.Response = await fault(self, request)
            return answer
        return await self.pass_on(request)

    async def pass_on(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        if request.method != "GET" and "/events" not in request.url.path:
            self.writes.append(f"{request.method} {request.url.path}")
            if len(self.writes) == self.crash_after:
                self.crashed.set()
                await asyncio.Event().wait()
        return response

    async def aclose(self) -> None:
        """The API stays when a client goes."""


class Supervisor:
    """Runs one controller process after another."""

    def __init__(self, api: FaultyApi, clock: Callable[[], datetime] = lambda: NOW) -> None:
        self.api = api
        self.started = 0
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Supervisor:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def manager(self) -> Manager:
        http = httpx.AsyncClient(transport=self.api, base_url="https://rouse.test")
        return make_manager(KubeClient(http), clock=self._clock)

    async def _run(self) -> None:
        while True:
            manager = self.manager()
            self.started += 1
            starting = asyncio.create_task(manager.start())
            try:
                await self.api.crashed.wait()
            finally:
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
                await kill(manager)
            self.api.crashed.clear()


async def kill(manager: Manager) -> None:
    """End a process without grace: what it was about to do is not done."""
    for controller in manager.controllers:
        await controller.stop(0)
    if manager._recorder is not None:
        await manager._recorder.stop(0)
    for informer in manager.informers:
        await informer.stop()


class Cluster:
    """What users and Knative see and do."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        http = httpx.AsyncClient(transport=transport, base_url="https://rouse.test")
        self.user = KubeClient(http, field_manager="user")
        self.copies = {one: Informer(self.user, one) for one in SEEN}
        self._changed = asyncio.Event()
        for informer in self.copies.values():
            informer.add_handler(lambda _type, _obj: self._changed.set())

    async def start(self) -> None:
        optional = {"data": {"ingressStatus": "optional"}}
        await self.user.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "rouse-config", "namespace": "rouse-system"},
                **optional,
            }
        )
        for informer in self.copies.values():
            await informer.start()
        for informer in self.copies.values():
            await informer.synced()

    async def stop(self) -> None:
        for informer in self.copies.values():
            await informer.stop()

    async def until(self, holds: Callable[[], bool], what: str, timeout: float = 25.0) -> None:
        """Wait for the copies to say so."""
        try:
            async with asyncio.timeout(timeout):
                while not holds():
                    self._changed.clear()
                    await self._observe()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"never came: {what}") from None

    def get(self, resource: Resource, name: str = KEY.name) -> Object | None:
        return self.copies[resource].get(Key(KEY.namespace, name))

    def is_ready(self, name: str = KEY.name, resource: Resource = INFERENCE_SERVICES) -> bool:
        """Whether the status tells of the current spec, and well."""
        live = self.get(resource, name)
        ready = condition_of(live, "Ready") if live else None
        if live is None or ready is None:
            return False
        told = live["status"].get("observedGeneration")
        return bool(ready["status"] == "True" and told == live["metadata"]["generation"])

    def split(self, name: str = KEY.name) -> list[tuple[str, int]]:
        """Return the revisions of a service or graph with their percentages."""
        live = self.get(VIRTUAL_SERVICES, name)
        ways = [way for http in live["spec"]["http"] for way in http["route"]] if live else []
        return [(one["destination"]["host"].split(".")[0], one["weight"]) for one in ways]

    async def knative(self, number: int, ksvc: str = f"{KEY.name}-predictor") -> None:
        """Let the next revision be ready, once the controllers asked for it."""
        if number > 1:
            before = self.copies[REVISIONS].get(Key(KEY.namespace, f"{ksvc}-{number - 1:05}"))
            assert before is not None

            def asked() -> bool:
                live = self.get(KNATIVE_SERVICES, ksvc)
                return live is not None and live["spec"]["template"]["spec"] != before["spec"]

            await self.until(asked, f"a template for revision {number}")
        else:
            await self.until(lambda: self.get(KNATIVE_SERVICES, ksvc) is not None, ksvc)
        revision = f"{ksvc}-{number:05}"
        live = await self.user.get(KNATIVE_SERVICES, ksvc, KEY.namespace)
        template = live["spec"]["template"]
        made = await self.user.apply(
            {
                "apiVersion": REVISIONS.api_version,
                "kind": REVISIONS.kind,
                "metadata": {
                    "name": revision,
                    "namespace": KEY.namespace,
                    "labels": {
                        **template["metadata"]["labels"],
                        "serving.knative.dev/service": ksvc,
                    },
                    "annotations": template["metadata"]["annotations"],
                    "ownerReferences": [owner_reference(live)],
                },
                "spec": template["spec"],
            }
        )
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        await self.user.replace({**made, "status": ready}, subresource="status")
        types = ("Ready", "ConfigurationsReady", "RoutesReady")
        status = {
            "conditions": [{"type": type_, "status": "True"} for type_ in types],
            "latestCreatedRevisionName": revision,
            "latestReadyRevisionName": revision,
            "traffic": [{"revisionName": revision, "percent": 100, "latestRevision": True}],
        }
        # By a patch: the controllers may have changed the spec since.
        await self.user.patch(
            KNATIVE_SERVICES,
            ksvc,
            {"status": status},
            namespace=KEY.namespace,
            subresource="status",
        )

    async def _observe(self) -> None:
        """Let Knative have seen what asks for no new revision, such as another split."""
        for live in self.copies[KNATIVE_SERVICES].list(KEY.namespace):
            status, generation = live.get("status") or {}, live["metadata"]["generation"]
            latest = self.get(REVISIONS, status.get("latestReadyRevisionName", ""))
            seen = status.get("observedGeneration") == generation
            if seen or latest is None or latest["spec"] != live["spec"]["template"]["spec"]:
                continue
            body = {"status": {"observedGeneration": generation}}
            name = live["metadata"]["name"]
            await self.user.patch(
                KNATIVE_SERVICES, name, body, namespace=KEY.namespace, subresource="status"
            )

    async def end(self) -> list[Object]:
        """Return all there is, but what no two runs share: uids, versions, times, managers."""
        found = []
        for resource in SEEN:
            try:
                listed = await self.user.list(resource, KEY.namespace)
            except NotFoundError:
                continue
            found += [_essence(one) for one in listed.items]
        return found


def _essence(obj: Object) -> Object:
    metadata = obj["metadata"]
    owners = metadata.get("ownerReferences") or ()
    status = obj.get("status") or {}
    if obj["kind"] == KNATIVE_SERVICES.kind:
        status = {}
    return {
        "kind": f"{obj['kind']} {obj['apiVersion']}",
        "name": str(key_of(obj)),
        "labels": metadata.get("labels"),
        # The digest of what was applied has the owner's uid in it.
        "annotations": {
            name: value
            for name, value in (metadata.get("annotations") or {}).items()
            if name != APPLIED
        },
        "finalizers": metadata.get("finalizers"),
        "owners": [(one["kind"], one["name"], one.get("controller")) for one in owners],
        "spec": obj.get("spec"),
        "status": status,
    }


def leaked(objects: list[Object], owners: list[Object]) -> list[str]:
    """Return the names of objects whose owner is not there."""
    uids = {uid_of(one) for one in owners}
    return [
        str(key_of(one))
        for one in objects
        for owner in one["metadata"].get("ownerReferences") or ()
        if owner["uid"] not in uids
    ]


SECOND = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris2"}
FIRST_ONLY = [("iris-predictor-00001", 100)]
CANARY = [("iris-predictor-00002", 20), ("iris-predictor-00001", 80)]
SECOND_ONLY = [("iris-predictor-00002", 100)]


async def live(cluster: Cluster) -> None:
    """The life of a canary, from the first apply to the promotion, with another model beside."""
    other = service()
    other["metadata"]["name"] = "gone"
    await cluster.user.apply(service())
    await cluster.user.apply(other)
    await cluster.knative(1)
    await cluster.until(lambda: cluster.is_ready() and cluster.split() == FIRST_ONLY, "the first")
    await cluster.user.apply(service(model=SECOND, canaryTrafficPercent=20))
    await cluster.knative(2)
    await cluster.until(lambda: cluster.is_ready() and cluster.split() == CANARY, "the canary")
    await cluster.user.delete(INFERENCE_SERVICES, "gone", KEY.namespace)
    await cluster.user.apply(service(model=SECOND))
    await cluster.until(
        lambda: cluster.is_ready() and cluster.split() == SECOND_ONLY, "the promotion"
    )
    await cluster.until(
        lambda: not any(key_of(one).name.startswith("gone") for one in _all(cluster)),
        "the deletion",
    )


def _all(cluster: Cluster) -> list[Object]:
    return [
        one
        for resource, copies in cluster.copies.items()
        for one in copies.list(KEY.namespace)
        if resource is not SERVICES or owned(one)
    ]


def owned(obj: Object) -> bool:
    return bool(obj["metadata"].get("ownerReferences"))


async def rest(cluster: Cluster, api: FaultyApi) -> list[Object]:
    """Wait until nothing is written any more, and return what is there."""
    while True:
        writes = len(api.writes)
        before = await cluster.end()
        for _ in range(10):
            await asyncio.sleep(0.01)
        if len(api.writes) == writes and await cluster.end() == before:
            return before


@asynccontextmanager
async def world(**faults: Any) -> AsyncIterator[tuple[Cluster, FaultyApi]]:
    """A cluster, and an API in trouble for the controllers; none of them runs yet."""
    async with memory_api() as (server, _):
        transport = ApiServerTransport(server)
        cluster = Cluster(transport)
        await cluster.start()
        try:
            yield cluster, FaultyApi(transport, **faults)
        finally:
            await cluster.stop()


async def story(**faults: Any) -> tuple[list[Object], FaultyApi, int]:
    """Live through `live` with these faults: the end, the API, how many processes it took."""
    async with world(**faults) as (cluster, api), Supervisor(api) as supervisor:
        await live(cluster)
        return await rest(cluster, api), api, supervisor.started
