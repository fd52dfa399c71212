"""The agent's loop: look at everything, do what differs, say how it went. Level-based."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from rouse.agent.credentials import (
    NAMESPACE,
    Credentials,
    CredentialsError,
    Keyring,
    credentials_of,
    scope_of,
)
from rouse.agent.memory import Memory
from rouse.agent.plan import Copy, Decision, Run, Wish, decide, sources_of
from rouse.agent.pods import runs_of, uris_of
from rouse.agent.report import (
    BUDGET,
    CREDENTIALS,
    Failure,
    make_conditions,
    make_facts,
    make_states,
)
from rouse.agent.storage import Event, Storage
from rouse.agent.twins import twin_folders
from rouse.agent.views import View, make_views
from rouse.api.base import Object
from rouse.api.localmodelnode.names import is_on_demand, model_key
from rouse.errors import RouseError
from rouse.kube.backoff import Backoff
from rouse.kube.client import EventType, KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key, uid_of
from rouse.kube.resources import PODS, RESOURCES

__all__ = ["LOCAL_MODEL_NODES", "Agent", "Settings"]

logger = logging.getLogger(__name__)

LOCAL_MODEL_NODES: Final = RESOURCES["serving.kserve.io/v1alpha1", "LocalModelNode"]
_MANAGER: Final = "rouse-node-agent"
_STATE: Final = "agent.json"
_UNFINISHED_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How an agent works. Times are in seconds."""

    concurrency: int = 2
    """Models fetched at the same time; each takes several connections."""
    recheck_s: float = 300.0
    """How often origins are asked whether a model is still the same."""
    backoff: Backoff = field(default_factory=lambda: Backoff(base=2.0, limit=300.0, jitter=0.3))
    """Of a model that could not be fetched."""
    credentials_namespace: str = NAMESPACE
    """Where the ServiceAccounts and Secrets are that LocalModelCaches name."""


def _wish_of(model: Object) -> Wish:
    """A model of a LocalModelNode; on demand it is for the namespace that it names."""
    namespace = model.get("namespace")
    pinned = not is_on_demand(model["modelName"])
    readers = None if pinned and not namespace else frozenset([namespace] if namespace else ())
    return Wish(model_key(model), model["sourceModelUri"], pinned, scope_of(model), readers)


def _sources(wishes: Iterable[Wish], runs: Iterable[Run]) -> set[str]:
    used = (source for run in runs for source in sources_of(run))
    return {*(wish.source for wish in wishes), *used}


async def _no_peers() -> Sequence[str]:
    return ()


class Agent:
    """Keeps the cache of one node as its LocalModelNode asks; `run` it until cancelled.

    ``peers`` says which other caches are asked before an origin. ``clock`` is in seconds since the
    epoch.
    """

    def __init__(
        self,
        client: KubeClient,
        node: str,
        storage: Storage,
        settings: Settings | None = None,
        *,
        peers: Callable[[], Awaitable[Sequence[str]]] = _no_peers,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._node = node
        self._storage = storage
        self._settings = settings or Settings()
        self._peers = peers
        self._clock = clock
        self._nodes = Informer(
            client,
            LOCAL_MODEL_NODES,
            options=InformerOptions(fields=f"metadata.name={node}", optional=True),
        )
        self._pods = Informer(
            client, PODS, options=InformerOptions(fields=f"spec.nodeName={node}", packed=True)
        )
        storage.folder.mkdir(parents=True, exist_ok=True)
        self._memory = Memory(storage.folder / _STATE)
        self._changed = asyncio.Event()
        self._fetches: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, Failure] = {}
        self._tries: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._extra: dict[str, int] = {}
        self._copies: list[Copy] = []
        self._views: Mapping[str, View] | None = None
        """Who reads what, as it was told the storage last; None: that may be otherwise by now."""
        self._twins: Mapping[str, int] = {}
        """The folders of twins as the storage has them, which looks again when that is due."""
        self._twins_due = 0.0
        self._twin_bytes = 0
        self._refused: dict[str, Failure] = {}
        self._keyring = Keyring(client)
        self._credentials: dict[str, Credentials] = {}

    async def run(self) -> None:
        """Work until cancelled; what was being fetched goes on at the next start."""
        self._nodes.add_handler(self._wake)
        self._pods.add_handler(self._wake)
        informers = (self._nodes, self._pods)
        try:
            for informer in informers:
                await informer.start()
            for informer in informers:
                await informer.synced()
            await asyncio.to_thread(self._storage.close)
            await self._storage.sweep(_UNFINISHED_S)
            while True:
                self._changed.clear()
                await self._pass()
                await self._wait()
        finally:
            for task in self._fetches.values():
                task.cancel()
            await asyncio.gather(*self._fetches.values(), return_exceptions=True)
            for informer in informers:
                await informer.stop()

    @property
    def unsynced(self) -> list[str]:
        """What was not listed yet."""
        return [str(e.resource) for e in (self._nodes, self._pods) if not e.is_synced]

    def _wake(self, _type: EventType, _obj: Object) -> None:
        self._changed.set()

    async def _wait(self) -> None:
        """Until something changed, or the next fetch is due."""
        now = self._clock()
        due = [when for source, when in self._due.items() if source not in self._fetches]
        pause = max(0.05, min([self._settings.recheck_s, *(when - now for when in due)]))
        try:
            async with asyncio.timeout(pause):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _pass(self) -> None:
        """Look once, and do what can be done now; a failure is for the next pass."""
        try:
            wishes = self._wishes()
            runs = runs_of(self._pods.list())
            self._count_uses()
            decision = await self._decide(wishes, runs)
            self._start(wishes, decision)
            await self._share(wishes, runs)
            await self._keep_twins(wishes, runs)
            await self._report(wishes)
            await asyncio.to_thread(self._memory.save)
        except (RouseError, OSError) as error:
            logger.warning("node %s: %s", self._node, error)
            await asyncio.sleep(1.0)
            self._changed.set()

    def _wishes(self) -> list[Wish]:
        node = self._nodes.get(Key("", self._node))
        if node is None or node["metadata"].get("deletionTimestamp"):
            return []
        models = (node.get("spec") or {}).get("localModels") or ()
        self._credentials = credentials_of(models, self._settings.credentials_namespace)
        return [_wish_of(each) for each in models]

    def _count_uses(self) -> None:
        pods = self._pods.list()
        for pod in pods:
            namespace = pod["metadata"].get("namespace") or ""
            runs = [Run(uri, namespace=namespace) for uri in uris_of(pod)]
            uses = {source: None for run in runs for source in sources_of(run)}
            self._memory.used(uid_of(pod), uses, self._clock())
        self._memory.forget_pods(uid_of(pod) for pod in pods)

    async def _decide(self, wishes: Sequence[Wish], runs: Sequence[Run]) -> Decision:
        self._copies, common = await self._storage.copies()
        sources = _sources(wishes, runs)
        self._memory.forget(sources, (each.digest for each in self._copies))
        wanted = {wish.source for wish in wishes}
        for source in [each for each in self._extra if each not in wanted]:
            del self._extra[source]
        decision = decide(
            wishes,
            self._memory.all_of(sources),
            self._copies,
            runs,
            budget=self._storage.budget,
            # Unfinished downloads are of what is missing, and part of what that will take.
            taken=sum(self._extra.values()) + self._twin_bytes - common,
            age=self._memory.age,
        )
        self._memory.age = decision.age
        if decision.evict:
            logger.info("node %s: %d models go", self._node, len(decision.evict))
            await self._storage.evict(decision.evict)
            self._copies = [e for e in self._copies if e.digest not in decision.evict]
        return decision

    async def _share(self, wishes: Sequence[Wish], runs: Sequence[Run]) -> None:
        """Let namespaces read what is theirs; before the status says that it is here."""
        known = self._memory.all_of(_sources(wishes, runs))
        views = make_views(wishes, known, self._copies, runs)
        if views == self._views:
            return
        # A fetch that ends meanwhile asks for another look.
        self._views = views
        try:
            problems = await self._storage.share(views)
        except (RouseError, OSError) as error:
            # Pods fetch for themselves meanwhile; what else there is to say is said.
            self._views, problems = None, [str(error)]
        for problem in problems:
            logger.warning("node %s: %s", self._node, problem)

    async def _keep_twins(self, wishes: Sequence[Wish], runs: Sequence[Run]) -> None:
        """Have folders for the twins that pods make, and see now and then what they hold."""
        folders = twin_folders(wishes, self._memory.all_of(_sources(wishes, runs)), runs)
        now = self._clock()
        if folders == self._twins and now < self._twins_due:
            return
        self._twins, self._twins_due = folders, now + self._settings.recheck_s
        try:
            self._twin_bytes, problems = await self._storage.keep_twins(folders)
        except (RouseError, OSError) as error:
            # Whoever writes there holds up nothing else.
            problems = [str(error)]
        for problem in problems:
            logger.warning("node %s: %s", self._node, problem)

    def _start(self, wishes: Sequence[Wish], decision: Decision) -> None:
        """Begin what is missing, then what is to be looked at again, within the concurrency."""
        wanted = {wish.source: wish for wish in wishes}
        self._refused = {source: Failure(BUDGET, why) for source, why in decision.refused.items()}
        for source in [each for each in self._fetches if each not in wanted]:
            self._fetches[source].cancel()
        tables: tuple[dict[str, Any], ...] = (self._failures, self._tries, self._due)
        for table in tables:
            for source in table.keys() - wanted.keys():
                del table[source]
        here = self._here(wanted)
        now = self._clock()
        candidates = (*decision.fetch, *(each for each in wanted if each in here))
        # Who waits for longest first: what fails again and again must not keep others out.
        for source in sorted(candidates, key=lambda each: self._due.get(each, 0.0)):
            if len(self._fetches) >= self._settings.concurrency:
                return
            if source not in self._fetches and self._due.get(source, 0.0) <= now:
                fetch = self._fetch(wanted[source])
                task = asyncio.create_task(fetch, name=f"fetch on {self._node}")
                self._fetches[source] = task

    async def _fetch(self, wish: Wish) -> None:
        source = wish.source
        try:
            failure = await self._follow(wish)
        except CredentialsError as error:
            failure = Failure(CREDENTIALS, str(error))
        except (RouseError, OSError) as error:
            failure = Failure("Failed", str(error))
        finally:
            del self._fetches[source]
            self._changed.set()
        now = self._clock()
        if failure is None:
            self._failures.pop(source, None)
            self._tries.pop(source, None)
            self._due[source] = now + self._settings.recheck_s
            return
        logger.warning("node %s: %s: %s", self._node, failure.reason, failure.message)
        self._failures[source] = failure
        tries = self._tries[source] = self._tries.get(source, 0) + 1
        self._due[source] = now + self._settings.backoff.delay(tries)

    async def _follow(self, wish: Wish) -> Failure | None:
        """Fetch one model; None when its present revision is here."""
        source = wish.source
        brought = False
        peers = await self._peers()
        failure: Failure | None = Failure("Failed", "the storage process said nothing")
        async with (
            self._keyring.opened(self._credentials.get(source)) as opened,
            aclosing(self._storage.fetch(wish.uri, peers, opened, wish.scope)) as events,
        ):
            async for event in events:
                if event["event"] == "fetched":
                    stale = event["stale"]
                    failure = Failure("OriginUnreachable", stale) if stale else None
                    self._extra.pop(source, None)
                    brought = bool(event["new"])
                    took = event["seconds"] if brought else None
                    self._memory.fetched(source, event["digest"], event["bytes"], took)
                    self._changed.set()
                elif event["event"] == "failed":
                    failure = self._failed(source, event)
        if brought:
            # By now equal bytes are one file, and there may be a twin.
            self._views = None
        return failure

    def _failed(self, source: str, event: Event) -> Failure:
        needed = int(event.get("needed") or 0)
        if event["reason"] == BUDGET and needed:
            if self._here([source]):
                # A new revision beside the present one, which stays until that is there.
                self._extra[source] = needed
            else:
                self._memory.sized(source, needed)
        return Failure(event["reason"], event["message"])

    def _here(self, sources: Iterable[str]) -> set[str]:
        there = {each.digest for each in self._copies}
        return {source for source in sources if self._memory.of(source).digest in there}

    async def _report(self, wishes: Sequence[Wish]) -> None:
        node = self._nodes.get(Key("", self._node))
        if node is None:
            return
        before = node.get("status") or {}
        here = self._here(wish.source for wish in wishes)
        failures = {**self._failures, **self._refused}
        states = make_states(wishes, here, self._fetches.keys() - self._failures.keys(), failures)
        stamp = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = make_conditions(
            wishes, states, failures, before.get("conditions") or (), stamp
        )
        known = self._memory.all_of(wish.source for wish in wishes)
        facts = make_facts(wishes, known, self._storage.budget)
        status = {"modelStatus": states, "conditions": conditions, **facts}
        if all(before.get(name) == value for name, value in status.items()):
            return
        await self._client.apply(
            {
                "apiVersion": LOCAL_MODEL_NODES.api_version,
                "kind": LOCAL_MODEL_NODES.kind,
                "metadata": {"name": self._node},
                "status": status,
            },
            subresource="status",
            field_manager=_MANAGER,
        )
