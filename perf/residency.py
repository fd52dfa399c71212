"""python -m perf.residency: how fast models are placed on nodes, and how much small changes move.

Synthetic: nodes in ten pools with 40 to 160 GB for models; sizes of models log-normal from
kilobytes to 80 GB, wake-ups by Zipf's law (exponent 0.9), forty images of which a pool's nodes have
half; one model in five runs somewhere. All models want two copies, for which there is not enough
room (``place_wanted_share``). The bound of ``place_benefit_of_bound`` is the fractional knapsack of
all disks as one, which no placement can exceed.

Printed: the planner's time from nothing and from what is there, and how many copies move when
nothing changes, a model comes, a node comes or goes, or all demand changes by up to a tenth. Then a
file is fetched as a node fetches it, beside a plain download (`perf.download`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from perf.download import compare
from perf.report import Figure, publish
from rouse.coldstart.residency import Disk, Item, Placement, benefit_of, place
from rouse.coldstart.residency.shelves import SPILL

_BAR_S = 5.0
_POOLS = 10
_IMAGES = 40


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the planner is given."""

    disks: tuple[Disk, ...]
    items: tuple[Item, ...]
    places: Mapping[str, tuple[str, ...]]

    def planned(self) -> Placement:
        """Place the models."""
        return place(self.disks, self.items, self.places)

    def with_held(self, before: Placement) -> Cluster:
        """The same cluster once the nodes have what was planned."""
        disks = (replace(disk, held=frozenset(before.on[disk.name])) for disk in self.disks)
        return replace(self, disks=tuple(disks))


def make_cluster(nodes: int, models: int, seed: int) -> Cluster:
    """Draw a cluster; equal arguments give equal clusters."""
    draw = np.random.default_rng(seed)
    images = [f"image-{number}" for number in range(_IMAGES)]
    names = [f"node-{number}" for number in range(nodes)]
    sizes = np.clip(draw.lognormal(np.log(2e9), 2.0, models), 4e3, 80e9).astype(np.int64).tolist()
    rates = 10.0 / (1 + draw.permutation(models)) ** 0.9 * models / 100
    items = tuple(
        Item(
            f"model-{number}",
            sizes[number],
            benefit_of(float(rates[number]), 0.0, sizes[number]),
            2,
            f"pool-{number % _POOLS}",
            images[int(draw.integers(_IMAGES))],
        )
        for number in range(models)
    )
    budgets = [int(gigabytes) * 10**9 for gigabytes in draw.integers(40, 160, nodes)]
    running: list[set[str]] = [set() for _ in names]
    left = list(budgets)
    for number in range(0, models, 5):
        at = int(draw.integers(nodes // _POOLS)) * _POOLS + number % _POOLS
        if sizes[number] <= left[at]:
            left[at] -= sizes[number]
            running[at].add(items[number].name)
    disks = tuple(
        Disk(
            name,
            budgets[number],
            running=frozenset(running[number]),
            images=frozenset(draw.choice(images, _IMAGES // 2, replace=False).tolist()),
        )
        for number, name in enumerate(names)
    )
    places = {f"pool-{pool}": tuple(names[pool::_POOLS]) for pool in range(_POOLS)}
    return Cluster(disks, items, places)


def bound_of(cluster: Cluster) -> float:
    """What copies could save at most: the fractional knapsack over all disks together."""
    room = float(sum(disk.budget for disk in cluster.disks))
    copies = [
        (item.benefit * (1 - SPILL) * SPILL**number, max(item.size, 1))
        for item in cluster.items
        for number in range(item.copies)
    ]
    saved = 0.0
    for value, size in sorted(copies, key=lambda copy: -copy[0] / copy[1]):
        if room <= 0:
            break
        saved += value * min(1.0, room / size)
        room -= size
    return saved


def jittered(cluster: Cluster, seed: int) -> Cluster:
    """The same with the demand of every model up to a tenth higher or lower."""
    draw = np.random.default_rng(seed)
    factors = draw.uniform(0.9, 1.1, len(cluster.items)).tolist()
    items = [
        replace(item, benefit=item.benefit * factor)
        for item, factor in zip(cluster.items, factors, strict=True)
    ]
    return replace(cluster, items=tuple(items))


def changes(cluster: Cluster) -> dict[str, Cluster]:
    """Small changes of a cluster that has what was planned."""
    new = Item("model-new", 10**9, max(i.benefit for i in cluster.items), 2, "pool-0")
    node = Disk("node-new", 200 * 10**9)
    pool = {**cluster.places, "pool-0": (*cluster.places["pool-0"], node.name)}
    return {
        "nothing": cluster,
        "new_model": replace(cluster, items=(*cluster.items, new)),
        "new_node": replace(cluster, disks=(*cluster.disks, node), places=pool),
        "lost_node": replace(cluster, disks=cluster.disks[1:]),
        "demand_10_percent": jittered(cluster, 1),
    }


def measure(nodes: int, models: int, seed: int) -> list[Figure]:
    """Place, change, place again."""
    cluster = make_cluster(nodes, models, seed)
    began = time.perf_counter()
    first = cluster.planned()
    took = time.perf_counter() - began
    copies = sum(map(len, first.on.values()))
    budget = sum(disk.budget for disk in cluster.disks)
    wanted = sum(item.size * item.copies for item in cluster.items)
    figures = [
        Figure("place_1000x10000_s", took, "s", _BAR_S, f"{nodes} nodes, {models} models"),
        Figure("place_copies", copies, "", None, f"{len(first.unplaced)} models without"),
        Figure("place_wanted_share", wanted / budget, "", None, "bytes wanted of bytes there"),
        Figure("place_benefit_of_bound", first.benefit / bound_of(cluster), ""),
    ]
    settled = cluster.with_held(first)
    for name, changed in changes(settled).items():
        began = time.perf_counter()
        after = changed.planned()
        seconds = time.perf_counter() - began
        come = sum(bool(move.target) for move in after.moves)
        gone = sum(bool(move.source) for move in after.moves)
        note = f"of {copies} copies; {gone} go; in {seconds:.2f} s"
        figures.append(Figure(f"place_moves_{name}", come, "copies come", None, note))
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m perf.residency", description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bytes", type=int, default=10**9, help="size of the file fetched")
    parser.add_argument("--rounds", type=int, default=5, help="of fetching; 0 for none")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args(argv)
    figures = measure(given.nodes, given.models, given.seed)
    if given.rounds:
        figures += compare(given.bytes, given.rounds, given.folder)
    else:
        note = "left out by --rounds 0"
        figures.append(Figure("agent_vs_plain_download", None, "x", 0.8, note, at_least=True))
    publish("residency", figures)
    return int(any(figure.missed for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
