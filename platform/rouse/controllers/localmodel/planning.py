"""What the planner is to know of nodes and services, and its answer for each node. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Final

from rouse.api.base import Object
from rouse.api.localmodelnode.names import is_on_demand, model_key
from rouse.api.quantities import amount
from rouse.coldstart.residency import Demand, Disk, Item, benefit_of
from rouse.compiler.config import Config
from rouse.controllers.localmodel.selection import is_ready, of_group
from rouse.controllers.localmodel.services import Use

__all__ = ["Facts", "Question", "Wanted", "make_question"]

_UNKNOWN: Final = 10**9
"""Bytes of a model that no node has had yet."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A service whose model is wanted on demand."""

    use: Use
    demand: Demand
    image: str = ""
    """The image of its server."""


@dataclass(frozen=True, slots=True)
class Question:
    """The planner's arguments. Items are locations."""

    disks: tuple[Disk, ...] = ()
    items: tuple[Item, ...] = ()
    places: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Facts:
    """What agents told of locations: the largest size, the longest download.

    Of one that no node keeps now the last word counts: else a model that is too large for every
    node would be tried again and again.
    """

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.seconds: dict[str, float] = {}

    def learn(self, locals_: Iterable[Mapping[str, Any]], wanted: Container[str]) -> None:
        """Take in what LocalModelNodes tell, and forget what nobody wants."""
        sizes: dict[str, int] = {}
        seconds: dict[str, float] = {}
        for local in locals_:
            status = local.get("status") or {}
            for model in (local.get("spec") or {}).get("localModels") or ():
                uri, key = model["sourceModelUri"], model_key(model)
                if size := (status.get("modelBytes") or {}).get(key):
                    sizes[uri] = max(sizes.get(uri, 0), size)
                if took := (status.get("fetchSeconds") or {}).get(key):
                    seconds[uri] = max(seconds.get(uri, 0.0), took)
        self.sizes = {uri: n for uri, n in {**self.sizes, **sizes}.items() if uri in wanted}
        self.seconds = {uri: n for uri, n in {**self.seconds, **seconds}.items() if uri in wanted}


def make_question(
    wanted: Iterable[Wanted],
    nodes: Iterable[Object],
    groups: Mapping[str, Object],
    caches: Iterable[Object],
    locals_: Mapping[str, Object],
    running: Mapping[str, Set[str]],
    facts: Facts,
    config: Config,
) -> Question:
    """Ask where the models of the services are to be.

    ``locals_`` are the LocalModelNodes, and ``running`` the locations that pods use, by node.
    ``facts`` are what was told of them before, too.
    """
    # One that is not ready keeps what it has, and is planned again when it comes back.
    nodes = [node for node in nodes if is_ready(node)]
    by_uri: defaultdict[str, list[Wanted]] = defaultdict(list)
    for each in wanted:
        for uri in each.use.uris:
            by_uri[uri].append(each)
    places: dict[str, frozenset[str]] = {}
    facts.learn(locals_.values(), by_uri)
    items = []
    for uri, wants in sorted(by_uri.items()):
        rooms = {_room_of(each.use, config.model_cache.node_group) for each in wants}
        where = " ".join(sorted(map(_key_of, rooms)))
        if where not in places:
            places[where] = frozenset(
                node["metadata"]["name"]
                for node in nodes
                if any(_may(node, room, groups) for room in rooms)
            )
        items.append(_item(uri, wants, where, facts, config, len(places[where])))
    disks = _disks(nodes, groups, list(caches), locals_, running)
    return Question(disks, tuple(items), places)


def _item(
    uri: str, wants: list[Wanted], where: str, facts: Facts, config: Config, nodes: int
) -> Item:
    size = facts.sizes.get(uri) or _UNKNOWN
    took = max(facts.seconds.get(uri, 0.0), *(each.demand.fetch_s for each in wants))
    copies = max(config.model_cache.copies, *(each.use.min_replicas for each in wants))
    return Item(
        uri,
        size,
        benefit_of(sum(each.demand.wakes_per_h for each in wants), took, size),
        max(1, min(copies, nodes) if config.model_cache.copies else nodes),
        where,
        max(wants, key=lambda each: each.demand.wakes_per_h).image,
    )


_Room = tuple[str, tuple[tuple[str, str], ...]]
"""A LocalModelNodeGroup and labels of its nodes."""


def _room_of(use: Use, default: str) -> _Room:
    return use.group or default, tuple(sorted(use.node_selector.items()))


def _key_of(room: _Room) -> str:
    group, labels = room
    return ",".join([group, *(f"{name}={value}" for name, value in labels)])


def _may(node: Mapping[str, Any], room: _Room, groups: Mapping[str, Object]) -> bool:
    name, labels = room
    has = node["metadata"].get("labels") or {}
    return name in groups and of_group(node, groups[name]) and dict(labels).items() <= has.items()


def _disks(
    nodes: Iterable[Object],
    groups: Mapping[str, Object],
    caches: list[Object],
    locals_: Mapping[str, Object],
    running: Mapping[str, Set[str]],
) -> tuple[Disk, ...]:
    sizes = [
        (int(amount(cache["spec"]["modelSize"])), frozenset(cache["spec"]["nodeGroups"]))
        for cache in caches
        if not cache["metadata"].get("deletionTimestamp")
    ]
    disks = []
    for node in nodes:
        name = node["metadata"]["name"]
        local = locals_.get(name) or {}
        mine = {group for group, spec in groups.items() if of_group(node, spec)}
        limits = [int(amount(groups[group]["spec"]["storageLimit"])) for group in mine]
        told = (local.get("status") or {}).get("budgetBytes")
        budget = min([*([sum(limits)] if limits else []), *([told] if told else [])], default=0)
        held = frozenset(
            model["sourceModelUri"]
            for model in (local.get("spec") or {}).get("localModels") or ()
            if is_on_demand(model["modelName"])
        )
        taken = sum(size for size, wanted_in in sizes if wanted_in & mine)
        runs = held & running.get(name, frozenset())
        images = frozenset((node.get("status") or {}).get("images") or ())
        disks.append(Disk(name, budget, taken, held, runs, images))
    return tuple(disks)
