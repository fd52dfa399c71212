"""Removing what was installed, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from rouse.compiler.config import CONFIG_NAMESPACE
from rouse.installer.cluster import Cluster
from rouse.installer.inventory import INVENTORY, Entry, Inventory
from rouse.installer.order import Stage, stage_of
from rouse.installer.outcome import Action, Outcome, Tell
from rouse.installer.policy import Policy
from rouse.installer.waiting import NotInTimeError
from rouse.kube.objects import Object, labels_of

__all__ = ["remove", "uninstall"]

_PART_OF: Final = ("app.kubernetes.io/part-of", "rouse")
_POLL_S: Final = 0.5
_USERS: Final = frozenset({Stage.NAMESPACES, Stage.DEFINITIONS})
"""With the definitions every InferenceService goes; with the namespace the settings."""


async def remove(cluster: Cluster, entry: Entry, *, dry_run: bool = False) -> Outcome:
    """Remove one object; what others made or have a say in is only given up."""
    live = await cluster.get(entry.api_version, entry.kind, entry.name, entry.namespace)
    what = str(entry)
    if live is None:
        return Outcome(what, Action.UNCHANGED, "it is gone")
    if entry.policy is Policy.MERGE:
        await cluster.apply(_bare(live), dry_run=dry_run)
        return Outcome(what, Action.RELEASED, "what others set in it stays")
    if not entry.created and entry.policy is Policy.IF_ABSENT:
        return Outcome(what, Action.KEPT, "it was there before")
    name, value = _PART_OF
    if labels_of(live).get(name) != value:
        return Outcome(what, Action.KEPT, f"it no longer has the label {name}={value}")
    await cluster.delete(live, dry_run=dry_run)
    return Outcome(what, Action.DELETED)


async def uninstall(
    cluster: Cluster,
    inventory: Inventory,
    *,
    definitions: bool,
    timeout_s: float,
    tell: Tell,
    dry_run: bool = False,
) -> None:
    """Remove what the inventory has, in the reverse of the order it was made in.

    Users' data stays: definitions and what is of them, the namespace and its settings. With
    ``definitions`` these go too; the controller is then still there while InferenceServices are
    deleted, so that what it must clean up is cleaned up. Raises NotInTimeError when they are not
    gone in ``timeout_s``.
    """
    by_stage: dict[Stage, list[Entry]] = {stage: [] for stage in Stage}
    for entry in inventory.entries:
        by_stage[stage_of(entry.kind)].append(entry)
    order = sorted(Stage, reverse=True)
    if definitions:
        # Behind the webhooks, which could refuse, and ahead of the controller.
        order.remove(Stage.DEFINITIONS)
        order.insert(1, Stage.DEFINITIONS)
    for stage in order:
        if stage in _USERS and not definitions:
            continue
        for entry in by_stage[stage]:
            if (
                entry.policy is Policy.MERGE
                and entry.namespace == CONFIG_NAMESPACE
                and not definitions
            ):
                tell(Outcome(str(entry), Action.KEPT, "your settings"))
                continue
            tell(await remove(cluster, entry, dry_run=dry_run))
        if stage is Stage.DEFINITIONS and not dry_run:
            await _wait_gone(cluster, by_stage[stage], timeout_s)
    live = await cluster.get("v1", "ConfigMap", INVENTORY, CONFIG_NAMESPACE)
    if live is not None:
        await cluster.delete(live, dry_run=dry_run)


async def _wait_gone(cluster: Cluster, entries: Iterable[Entry], timeout_s: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    left = list(entries)
    while True:
        left = [
            one
            for one in left
            if await cluster.get(one.api_version, one.kind, one.name, one.namespace)
        ]
        if not left:
            return
        if loop.time() >= deadline:
            names = ", ".join(each.name for each in left)
            raise NotInTimeError(
                f"still there: {names}; look for objects of these kinds with finalizers"
            )
        await cluster.sleep(_POLL_S)


def _bare(live: Object) -> Object:
    """An object that says nothing: applied, it gives up every field of ours."""
    metadata = {name: live["metadata"][name] for name in ("name", "namespace")}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}
