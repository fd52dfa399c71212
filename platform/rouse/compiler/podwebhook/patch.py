"""The difference of two JSON documents as a JSON patch (RFC 6902)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rouse.api.base import Object

__all__ = ["diff"]


def diff(old: Any, new: Any, path: str = "") -> list[Object]:
    """Return the operations that make ``new`` of ``old``; lists are changed item by item.

    The order of keys does not count, and equal documents give no operation.
    """
    return list(_operations(old, new, path))


def _operations(old: Any, new: Any, path: str) -> Iterator[Object]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _of_objects(old, new, path)
    elif isinstance(old, list) and isinstance(new, list) and len(new) >= len(old):
        for index, (before, after) in enumerate(zip(old, new, strict=False)):
            yield from _operations(before, after, f"{path}/{index}")
        for item in new[len(old) :]:
            yield {"op": "add", "path": f"{path}/-", "value": item}
    elif type(old) is not type(new) or old != new:
        yield {"op": "replace", "path": path, "value": new}


def _of_objects(old: Object, new: Object, path: str) -> Iterator[Object]:
    for key in sorted(old.keys() - new.keys()):
        yield {"op": "remove", "path": f"{path}/{_escaped(key)}"}
    for key in sorted(new):
        at = f"{path}/{_escaped(key)}"
        if key in old:
            yield from _operations(old[key], new[key], at)
        else:
            yield {"op": "add", "path": at, "value": new[key]}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
