"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386) on plain JSON values.

The given document is never changed; parts that a patch does not touch are shared with it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rouse.errors import InvalidError

__all__ = ["PatchError", "json_patch", "merge_patch"]


class PatchError(InvalidError):
    """A patch is malformed or does not fit the document; ``message`` says which step and why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def merge_patch(doc: Any, patch: Any) -> Any:
    """The document with a merge patch applied: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    out = dict(doc) if isinstance(doc, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge_patch(out.get(key), value)
    return out


def json_patch(doc: Any, ops: Any) -> Any:
    """The document with all operations applied in order, or `PatchError` and no effect."""
    if not isinstance(ops, list):
        raise PatchError("a JSON patch must be a list of operations")
    out = copy.deepcopy(doc)
    for index, op in enumerate(ops):
        try:
            out = _apply(out, op)
        except PatchError as error:
            raise PatchError(f"operation {index}: {error.message}") from error
    return out


def _apply(doc: Any, op: Any) -> Any:
    if not isinstance(op, Mapping):
        raise PatchError("must be an object")
    name = op.get("op")
    run = _OPERATIONS.get(name) if isinstance(name, str) else None
    if run is None:
        raise PatchError(f"unknown op {name!r}")
    return run(doc, op)


def _add(doc: Any, op: Mapping[str, Any]) -> Any:
    return _insert(doc, _pointer(op, "path"), copy.deepcopy(_value(op)))


def _remove(doc: Any, op: Mapping[str, Any]) -> Any:
    return _cut(doc, _pointer(op, "path"))[0]


def _replace(doc: Any, op: Mapping[str, Any]) -> Any:
    path, value = _pointer(op, "path"), copy.deepcopy(_value(op))
    if not path:
        return value
    parent, step = _existing(doc, path)
    parent[step] = value
    return doc


def _move(doc: Any, op: Mapping[str, Any]) -> Any:
    source, target = _pointer(op, "from"), _pointer(op, "path")
    if target[: len(source)] == source:
        if target == source:
            _find(doc, source)
            return doc
        raise PatchError(f"cannot move {_shown(source)} into itself")
    doc, value = _cut(doc, source)
    return _insert(doc, target, value)


def _copy(doc: Any, op: Mapping[str, Any]) -> Any:
    value = copy.deepcopy(_find(doc, _pointer(op, "from")))
    return _insert(doc, _pointer(op, "path"), value)


def _test(doc: Any, op: Mapping[str, Any]) -> Any:
    path = _pointer(op, "path")
    if not _equal(_find(doc, path), _value(op)):
        raise PatchError(f"test failed: the value at {_shown(path)} is another")
    return doc


_OPERATIONS: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _value(op: Mapping[str, Any]) -> Any:
    if "value" not in op:
        raise PatchError("value is missing")
    return op["value"]


def _pointer(op: Mapping[str, Any], member: str) -> list[str]:
    """The steps of a JSON pointer (RFC 6901); the whole document is the empty list."""
    pointer = op.get(member)
    if not isinstance(pointer, str):
        raise PatchError(f"{member} is missing")
    if not pointer:
        return []
    if not pointer.startswith("/"):
        raise PatchError(f"{member} {pointer!r} does not start with '/'")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def _shown(path: Sequence[str]) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path) or "the root"


def _index(step: str, length: int, path: Sequence[str]) -> int:
    if not (step.isascii() and step.isdigit()) or (step[0] == "0" and step != "0"):
        raise PatchError(f"{_shown(path)} is no index of a list")
    if int(step) >= length:
        raise PatchError(f"{_shown(path)} is beyond the end of the list")
    return int(step)


def _existing(doc: Any, path: Sequence[str]) -> tuple[Any, str | int]:
    """The container of an existing place and the key of the place in it."""
    for depth, step in enumerate(path):
        key: str | int
        if isinstance(doc, dict):
            if step not in doc:
                raise PatchError(f"{_shown(path[: depth + 1])} does not exist")
            key = step
        elif isinstance(doc, list):
            key = _index(step, len(doc), path[: depth + 1])
        else:
            raise PatchError(f"{_shown(path[:depth])} is neither an object nor a list")
        if depth == len(path) - 1:
            return doc, key
        doc = doc[key]
    raise PatchError("the root has no container")


def _find(doc: Any, path: Sequence[str]) -> Any:
    if not path:
        return doc
    parent, key = _existing(doc, path)
    return parent[key]


def _insert(doc: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(doc, path[:-1])
    step = path[-1]
    if isinstance(parent, dict):
        parent[step] = value
    elif isinstance(parent, list):
        at = len(parent) if step == "-" else _index(step, len(parent) + 1, path)
        parent.insert(at, value)
    else:
        raise PatchError(f"{_shown(path[:-1])} is neither an object nor a list")
    return doc


def _cut(doc: Any, path: Sequence[str]) -> tuple[Any, Any]:
    """The document without a place, and what was there."""
    if not path:
        return None, doc
    parent, key = _existing(doc, path)
    return doc, parent.pop(key)


def _equal(left: Any, right: Any) -> bool:
    """Equality of JSON values: 1 equals 1.0, but true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)
