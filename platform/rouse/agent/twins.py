"""Which folders pods keep twins in, and how much one may hold. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rouse.agent.plan import Known, Run, Wish, source_of, sources_of
from rouse.api.localmodelnode.names import twin_folder

__all__ = ["twin_folders"]

_LEAST_BYTES: Final = 16 * 1024 * 1024
_TIMES: Final = 4
"""A twin has about the size of its model; there may be those of two revisions."""


def twin_folders(
    wishes: Iterable[Wish], known: Mapping[str, Known], runs: Iterable[Run]
) -> dict[str, int]:
    """Return the folder of each namespace and model that is wanted or runs -> the most bytes."""
    found: dict[str, int] = {}

    def add(namespace: str, uri: str, sources: Iterable[str]) -> None:
        size = max((known[each].bytes for each in sources if each in known), default=0)
        name = twin_folder(namespace, uri)
        found[name] = max(found.get(name, 0), _LEAST_BYTES + _TIMES * size)

    for wish in wishes:
        # A model for all has one for whoever runs it.
        for namespace in wish.readers or ():
            add(namespace, wish.uri, (wish.source, source_of(wish.uri)))
    for run in runs:
        if run.namespace:
            add(run.namespace, run.uri, sources_of(run))
    return dict(sorted(found.items()))
