"""Plans which nodes keep the models that are wanted on demand; all nodes at once."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from rouse.coldstart.residency import Placement, demand_of, place
from rouse.compiler.names import SERVICE_LABEL
from rouse.controllers.localmodel.planning import Facts, Question, Wanted, make_question
from rouse.controllers.localmodel.sources import Sources
from rouse.controllers.pacing import Pace
from rouse.kube.controller import Requeue
from rouse.kube.events import EventRecorder
from rouse.kube.objects import Key, key_of, labels_of

__all__ = ["KEY", "Residency", "Told"]

logger = logging.getLogger(__name__)

KEY: Final = Key("", "residency")
"""The one key: a plan is of all nodes."""
_AGAIN_S: Final = 300.0
"""How often it is planned anew for demand alone, which changes with every wake-up."""
_AT_ONCE: Final = 100
_ENDED: Final = ("Succeeded", "Failed")

Told = Callable[[Placement], None]
"""Told every new plan."""


class Residency:
    """The plan that holds, made anew in a thread. ``enqueue`` is told the nodes it changes."""

    def __init__(
        self,
        sources: Sources,
        recorder: EventRecorder,
        clock: Callable[[], datetime],
        told: Told | None = None,
    ) -> None:
        self._sources = sources
        self._recorder = recorder
        self._clock = clock
        self._told = told or (lambda _plan: None)
        self.enqueue: Callable[[Key], None] = lambda _key: None
        self._on: Mapping[str, tuple[str, ...]] | None = None
        self._question = Question()
        self._groups: Mapping[str, str] = {}
        self._facts = Facts()
        self._unplaced: Mapping[str, str] = {}
        self._pace = Pace()

    def of(self, node: str) -> Mapping[str, str] | None:
        """Locations that a node is to have, each with the LocalModelNodeGroup that wants it.

        None: nothing was planned yet, or not for this node.
        """
        names = None if self._on is None else self._on.get(node)
        return None if names is None else {uri: self._groups[uri] for uri in sorted(names)}

    async def __call__(self, _key: Key) -> Requeue:
        """Plan, if anything is different."""
        clock = asyncio.get_running_loop().time
        rest = self._pace.rest(clock())
        if rest > 0:
            return Requeue(rest)
        began = clock()
        wanted = await self._wanted()
        question = await asyncio.to_thread(self._asking(wanted))
        if question != self._question or self._on is None:
            plan = await asyncio.to_thread(place, question.disks, question.items, question.places)
            self._question = question
            default = self._sources.config().model_cache.node_group
            self._groups = {
                uri: each.use.group or default for each in wanted for uri in each.use.uris
            }
            self._take(plan)
            self._pace.took(clock() - began, clock())
        return Requeue(_AGAIN_S)

    async def _wanted(self) -> list[Wanted]:
        sources, now = self._sources, self._clock()
        wanted = []
        for use in sources.uses():
            service = sources.services.get(use.service) if use.demand else None
            if service is None:
                continue
            wanted.append(Wanted(use, demand_of(service, now), sources.image_of(use.service)))
            if len(wanted) % _AT_ONCE == 0:
                await asyncio.sleep(0)  # there may be thousands, and others wait
        return wanted

    def _asking(self, wanted: Sequence[Wanted]) -> Callable[[], Question]:
        """Return what makes the question, in any thread: the informers' copies are read here."""
        sources = self._sources
        locals_ = {each["metadata"]["name"]: each for each in sources.local_nodes.list()}
        return partial(
            make_question,
            wanted,
            sources.nodes.list(),
            sources.groups_by_name(),
            sources.all_caches(),
            locals_,
            self._running(),
            self._facts,
            sources.config(),
        )

    def _running(self) -> Mapping[str, set[str]]:
        """Locations in use, by node."""
        uris = {use.service: use.uris for use in self._sources.uses() if use.demand}
        found: defaultdict[str, set[str]] = defaultdict(set)
        for pod in self._sources.pods.list() if uris else ():
            service = Key(key_of(pod).namespace, labels_of(pod).get(SERVICE_LABEL, ""))
            found[_node_of(pod)].update(uris.get(service, ()))
        return found

    def _take(self, plan: Placement) -> None:
        before = self._on or {}
        self._on = plan.on
        self._told(plan)
        self._warn(plan.unplaced)
        changed = [name for name, on in plan.on.items() if set(on) != set(before.get(name, ()))]
        if plan.moves:
            logger.info("models of %d nodes change, %d copies", len(changed), len(plan.moves))
        for name in {*changed, *(move.source for move in plan.moves if move.source)}:
            self.enqueue(Key("", name))
        if not before:
            for name in plan.on:
                self.enqueue(Key("", name))

    def _warn(self, unplaced: Mapping[str, str]) -> None:
        """Tell the services whose model no node keeps; it comes from its origin as before."""
        new = {uri: why for uri, why in unplaced.items() if self._unplaced.get(uri) != why}
        self._unplaced = unplaced
        for use in self._sources.uses() if new else ():
            why = next((new[uri] for uri in use.uris if uri in new), None)
            service = self._sources.services.get(use.service)
            if use.demand and why is not None and service is not None:
                message = f"no node keeps its model: {why}"
                self._recorder.emit(service, "Warning", "ModelNotKept", message)


def _node_of(pod: Mapping[str, Any]) -> str:
    if (pod.get("status") or {}).get("phase") in _ENDED:
        return ""
    return str((pod.get("spec") or {}).get("nodeName") or "")
