"""Installing and upgrading: apply in order, wait, remove what is no longer wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rouse.compiler.config import CONFIG_NAMESPACE
from rouse.errors import ConflictError, RejectedError
from rouse.installer.cluster import Cluster
from rouse.installer.inventory import INVENTORY, Entry, Inventory, entry_of
from rouse.installer.order import Stage, stages
from rouse.installer.outcome import Action, Outcome, Tell
from rouse.installer.policy import Policy, policy_of, wanted_of
from rouse.installer.remove import remove
from rouse.installer.waiting import wait_until_ready
from rouse.kube.objects import Object, resource_version_of

__all__ = ["Plan", "install", "read_inventory"]

_NEVER_PRUNED: Final = frozenset({"CustomResourceDefinition", "Namespace"})
"""With them users' objects would go."""
_NOT_ASKED: Final = "not asked of the API:"
_FORMER_S: Final = 45.0
"""A replica that was replaced has 30 s to end, and until then the API server may still ask it."""
_AGAIN_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What to install, and how."""

    objects: tuple[Object, ...]
    version: str
    overlay: str
    options: str = ""
    """Those of `rouse install` that selected the objects."""
    wait: bool = True
    timeout_s: float = 300.0
    dry_run: bool = False
    """Ask the API what it would do, and change nothing."""


async def install(cluster: Cluster, plan: Plan, tell: Tell) -> None:
    """Bring the cluster to the plan; doing it again changes nothing.

    ``tell`` hears of every object. Raises ApiError for what the API refuses and NotInTimeError;
    what was done until then is in the inventory, and the next call goes on from there.
    """
    deadline = asyncio.get_running_loop().time() + plan.timeout_s
    before = await read_inventory(cluster)
    session = _Session(cluster, plan, before, tell)
    late: list[Object] = []
    for stage, objects in stages(plan.objects).items():
        if stage is Stage.SETTINGS:
            late = await session.apply_settings(objects)
        else:
            await session.apply(objects)
        if stage is Stage.NAMESPACES:
            await session.remember()
        # Without the definitions nothing of their kinds can be applied.
        needed = stage is Stage.DEFINITIONS or (stage is Stage.WORKLOADS and late)
        if not plan.dry_run and (plan.wait or needed):
            await wait_until_ready(cluster, objects, deadline=deadline)
        if stage is Stage.WORKLOADS and not plan.dry_run:
            await session.apply_late(late, deadline)
    await session.prune()


async def read_inventory(cluster: Cluster) -> Inventory:
    """Return what is installed; an empty inventory where nothing is."""
    config_map = await cluster.get("v1", "ConfigMap", INVENTORY, CONFIG_NAMESPACE)
    return Inventory.read(config_map) if config_map else Inventory()


class _Session:
    """One installation under way."""

    def __init__(self, cluster: Cluster, plan: Plan, before: Inventory, tell: Tell) -> None:
        self._cluster = cluster
        self._plan = plan
        self._before = before
        self._tell = tell
        self._namespaces: dict[str, bool] = {}
        self._defined = _defined_kinds(plan.objects)

    async def remember(self) -> None:
        """Write down, before they are made, what will be made: an interruption loses nothing."""
        entries = [await self._entry(obj) for obj in self._plan.objects]
        self._before = self._inventory(self._before.entries).with_entries(entries)
        await self._write(self._before)

    async def apply(self, objects: Iterable[Object]) -> None:
        for obj in objects:
            outcome = await self._apply(obj)
            self._tell(outcome)

    async def apply_settings(self, objects: Iterable[Object]) -> list[Object]:
        """Apply what a webhook may check, and return what it refuses.

        On an upgrade that is the webhook of the version before, which knows no new settings: they
        come once its successor runs.
        """
        late = []
        for obj in objects:
            try:
                self._tell(await self._apply(obj))
            except RejectedError as error:
                if await self._cluster.live(obj) is None:
                    raise
                late.append(obj)
                if self._plan.dry_run:
                    note = f"{_NOT_ASKED} the version that runs refuses it: {error.message}"
                    self._tell(Outcome(str(entry_of(obj)), Action.CONFIGURED, note))
        return late

    async def apply_late(self, objects: Iterable[Object], deadline: float) -> None:
        """Apply what was refused, once more and until the former version has ended."""
        loop = asyncio.get_running_loop()
        ended = min(deadline, loop.time() + _FORMER_S)
        for obj in objects:
            while True:
                try:
                    self._tell(await self._apply(obj))
                    break
                except RejectedError:
                    if loop.time() >= ended:
                        raise
                    await self._cluster.sleep(_AGAIN_S)

    async def prune(self) -> None:
        """Remove what an earlier version installed and this one has not."""
        wanted = [entry_of(obj) for obj in self._plan.objects]
        gone = self._before.stale(wanted)
        for entry in sorted(gone, key=lambda one: one.kind):
            if entry.kind not in _NEVER_PRUNED:
                self._tell(await remove(self._cluster, entry, dry_run=self._plan.dry_run))
        left = [each for each in self._before.entries if each not in gone]
        await self._write(self._inventory(left))

    def _inventory(self, entries: Iterable[Entry]) -> Inventory:
        plan = self._plan
        return Inventory(plan.version, plan.overlay, tuple(entries), plan.options)

    async def _entry(self, obj: Object) -> Entry:
        known = self._before.knows(entry_of(obj))
        if known is not None:
            return known
        return entry_of(obj, created=await self._cluster.live(obj) is None)

    async def _apply(self, obj: Object) -> Outcome:
        what = str(entry_of(obj))
        if not await self._has_namespace(obj):
            namespace = obj["metadata"]["namespace"]
            if self._plan.dry_run and namespace in _made_namespaces(self._plan.objects):
                return Outcome(what, Action.CREATED, f"{_NOT_ASKED} its namespace comes first")
            return Outcome(what, Action.SKIPPED, f"there is no namespace {namespace}")
        if await self._cluster.find(obj["apiVersion"], obj["kind"]) is None:
            kind = (obj["apiVersion"].rpartition("/")[0], obj["kind"])
            if self._plan.dry_run and kind in self._defined:
                return Outcome(what, Action.CREATED, f"{_NOT_ASKED} its kind comes first")
        live = await self._cluster.live(obj)
        if policy_of(obj) is Policy.IF_ABSENT and live is not None and not self._made(obj):
            return Outcome(what, Action.KEPT, "it was there before")
        return await self._write_object(obj, live, what)

    async def _write_object(self, obj: Object, live: Object | None, what: str) -> Outcome:
        wanted, kept = wanted_of(obj, live)
        force = policy_of(obj) is Policy.OWN
        try:
            stored = await self._cluster.apply(wanted, force=force, dry_run=self._plan.dry_run)
        except ConflictError as error:
            if force:
                raise
            return Outcome(what, Action.KEPT, error.message.replace("\n", " "))
        note = f"kept as somebody set them: {', '.join(kept)}" if kept else ""
        if live is None:
            return Outcome(what, Action.CREATED, note)
        same = _same(stored, live)
        return Outcome(what, Action.UNCHANGED if same else Action.CONFIGURED, note)

    def _made(self, obj: Object) -> bool:
        known = self._before.knows(entry_of(obj))
        return known is not None and known.created

    async def _has_namespace(self, obj: Object) -> bool:
        namespace = obj["metadata"].get("namespace")
        if not namespace:
            return True
        if not self._namespaces.get(namespace):
            found = await self._cluster.get("v1", "Namespace", namespace)
            self._namespaces[namespace] = found is not None
        return self._namespaces[namespace]

    async def _write(self, inventory: Inventory) -> None:
        if not self._plan.dry_run:
            await self._cluster.apply(inventory.to_config_map())


def _same(stored: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    # A dry run's answer may carry the resourceVersion of the object it started from.
    if resource_version_of(stored) != resource_version_of(live):
        return False
    ignored = {"managedFields", "resourceVersion", "generation"}

    def told(obj: Mapping[str, Any]) -> dict[str, Any]:
        metadata = {k: v for k, v in obj["metadata"].items() if k not in ignored}
        return {**obj, "metadata": metadata}

    return told(stored) == told(live)


def _defined_kinds(objects: Iterable[Object]) -> set[tuple[str, str]]:
    return {
        (obj["spec"]["group"], obj["spec"]["names"]["kind"])
        for obj in objects
        if obj["kind"] == "CustomResourceDefinition"
    }


def _made_namespaces(objects: Iterable[Object]) -> set[str]:
    return {obj["metadata"]["name"] for obj in objects if obj["kind"] == "Namespace"}
