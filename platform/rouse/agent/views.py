"""Which namespaces may read which copies of a node's cache. Pure.

A LocalModelCache is for every namespace, a LocalModelNamespaceCache for its own, and what services
want on demand for theirs. A pod's word that it uses a model opens nothing: it only keeps what its
namespace could read already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rouse.agent.plan import Copy, Known, Run, Wish, sources_of

__all__ = ["View", "make_views"]

_SHARED: Final = "shared"


@dataclass(slots=True)
class View:
    """The digests that are brought into a folder of readers, and those that stay if there."""

    read: set[str] = field(default_factory=set)
    hold: set[str] = field(default_factory=set)


def make_views(
    wishes: Iterable[Wish],
    known: Mapping[str, Known],
    copies: Iterable[Copy],
    runs: Iterable[Run],
) -> dict[str, View]:
    """Return the views by name, as `predictors.storage.views` has them."""
    there = {each.digest for each in copies}
    views: defaultdict[str, View] = defaultdict(View)
    for wish in wishes:
        found = known.get(wish.source, Known())
        for name in _views_of(wish):
            views[name].read |= {found.digest} & there
            views[name].hold |= there.intersection(found.former)
    for run in runs:
        for source in sources_of(run):
            found = known.get(source, Known())
            held = there.intersection((found.digest, *found.former))
            for name in (_SHARED, _of_namespace(run.namespace)) if held else ():
                views[name].hold |= held
    return dict(views)


def _views_of(wish: Wish) -> Iterable[str]:
    if wish.readers is None:
        return (_SHARED,)
    return map(_of_namespace, sorted(wish.readers))


def _of_namespace(namespace: str) -> str:
    return f"namespaces/{namespace}"
