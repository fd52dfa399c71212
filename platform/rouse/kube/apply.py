"""Write only what differs: at steady state a reconciler sends no write at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, Final

import orjson

from rouse.kube.client import KubeClient
from rouse.kube.objects import Object

__all__ = ["APPLIED", "apply_if_differs", "differs", "same_quantity", "stamped"]

APPLIED: Final = "rouse.dev/applied"
"""Annotation with the digest of what was applied last."""

_QUANTITIES: Final = frozenset({"limits", "requests", "capacity", "hard"})
_SUFFIXES: Final[Mapping[str, Decimal]] = {
    **{
        suffix: Decimal(1024) ** power
        for power, suffix in enumerate(["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])
    },
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{suffix: Decimal(1000) ** -power for power, suffix in enumerate("mun", 1)},
}


async def apply_if_differs(
    client: KubeClient, wanted: Mapping[str, Any], live: Mapping[str, Any] | None
) -> Object | None:
    """Server-side apply ``wanted`` unless ``live`` already is so; return the object if written.

    What is written carries a digest of itself (see `stamped`), so that a field no longer wanted is
    noticed even inside a list, where it cannot be told from what the API filled in by default.
    """
    marked = stamped(wanted)
    if live is not None and not differs(marked, live):
        return None
    return await client.apply(marked)


def stamped(wanted: Mapping[str, Any]) -> Object:
    """Return a copy that carries the digest of ``wanted`` in an annotation."""
    encoded = orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS)
    digest = blake2b(encoded, digest_size=8).hexdigest()
    metadata = wanted["metadata"]
    annotations = {**(metadata.get("annotations") or {}), APPLIED: digest}
    return {**wanted, "metadata": {**metadata, "annotations": annotations}}


def differs(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Say whether ``live`` lacks anything of ``wanted``.

    Maps may hold more than wanted (defaults, other writers); lists must have the same length and
    order, but for ``ownerReferences`` and ``finalizers``, which others add to. Empty maps and lists
    equal absent ones. Quantities under limits, requests, capacity and hard compare by value.
    """
    return any(
        _metadata_differs(value, live.get(name) or {})
        if name == "metadata"
        else _value_differs(value, live.get(name))
        for name, value in wanted.items()
    )


def _metadata_differs(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    for name, value in wanted.items():
        if name in ("ownerReferences", "finalizers"):
            there = live.get(name) or ()
            if any(all(_value_differs(one, other) for other in there) for one in value):
                return True
        elif _value_differs(value, live.get(name)):
            return True
    return False


def _value_differs(wanted: Any, live: Any, *, quantity: bool = False) -> bool:
    if isinstance(wanted, Mapping):
        return _map_differs(wanted, {} if live is None else live, quantity=quantity)
    if isinstance(wanted, list | tuple):
        return _list_differs(wanted, [] if live is None else live)
    if wanted == live and isinstance(wanted, bool) is isinstance(live, bool):
        return False
    return not (quantity and same_quantity(wanted, live))


def _map_differs(wanted: Mapping[str, Any], live: Any, *, quantity: bool) -> bool:
    if not isinstance(live, Mapping):
        return True
    return any(
        _value_differs(value, live.get(name), quantity=quantity or name in _QUANTITIES)
        for name, value in wanted.items()
    )


def _list_differs(wanted: Sequence[Any], live: Any) -> bool:
    if not isinstance(live, list | tuple) or len(wanted) != len(live):
        return True
    return any(_value_differs(one, other) for one, other in zip(wanted, live, strict=True))


def same_quantity(one: Any, other: Any) -> bool:
    """Say whether two Kubernetes quantities, such as ``1`` and ``"1000m"``, are the same."""
    first, second = _number(one), _number(other)
    return first is not None and first == second


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    digits = text.rstrip("KMGTPEikmun")
    try:
        return Decimal(digits) * _SUFFIXES[text[len(digits) :]]
    except (InvalidOperation, KeyError):
        return None
