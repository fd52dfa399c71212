"""Which images each pool gets, within its bounds, and in which order. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rouse.api.quantities import amount
from rouse.coldstart.residency import Disk, Item, benefit_of, place
from rouse.compiler.config import Config
from rouse.controllers.prepull.used import Use

__all__ = ["choose"]

_UNKNOWN: Final = 10**9
"""Bytes of an image that no node has yet."""


def choose(
    uses: Iterable[Use],
    sizes: Mapping[str, int],
    present: Mapping[str, Sequence[str]],
    config: Config,
) -> dict[str, list[str]]:
    """Return the images of each pool, the most saved waiting per byte first.

    ``sizes`` are bytes of images as nodes tell them, and ``present`` what the pools get now. Which
    images it are changes only where another would save clearly more, and their order only then:
    with each change the pods of the DaemonSet are made anew.
    """
    settings = config.pre_pull
    worth: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for use in uses:
        size = sizes.get(use.image) or _UNKNOWN
        saved = use.weight * benefit_of(use.demand.wakes_per_h, use.demand.pull_s, size)
        worth[use.pool][use.image] += saved
    budget = int(amount(settings.max_bytes))
    most = max([saved for images in worth.values() for saved in images.values()], default=1.0)
    chosen = {}
    for pool, images in sorted(worth.items()):
        for image in settings.images:
            images[image] += most * (sizes.get(image) or _UNKNOWN)
        items = [
            Item(image, sizes.get(image) or _UNKNOWN, saved) for image, saved in images.items()
        ]
        now = present.get(pool, ())
        on = place([Disk(pool, budget, held=frozenset(now))], items, {}).on[pool]
        best = list(on[: settings.max_images])
        chosen[pool] = list(now) if set(now) == set(best) else best
    return chosen
