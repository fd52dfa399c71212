"""Strategic merge patch: a merge patch in which lists of built-in kinds merge by key.

Directives: ``$patch`` (``delete``, ``replace``, ``merge``) in an object or a list item,
``$deleteFromPrimitiveList/<field>``, ``$setElementOrder/<field>`` and ``$retainKeys``. Which lists
merge, and by which key, is in the schema. Lists it does not speak of are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rouse.embedded.apiserver.jsonpatch import PatchError
from rouse.embedded.apiserver.schema import Node, Schema

__all__ = ["strategic_merge_patch"]

Object = dict[str, Any]

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"


def strategic_merge_patch(live: Object, patch: Object, schema: Schema) -> Object:
    """The live object with the patch applied; neither is changed. `PatchError` for a directive
    that makes no sense."""
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch must be an object")
    return _merge_object(live, patch, schema.root, "")


def _merge_object(live: Object, patch: Object, node: Node | None, path: str) -> Object:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f"{path or '.'}: unknown $patch directive {directive!r}")
    out = _retained(live, patch, path)
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        child = node.child(name) if node is not None else None
        if value is None:
            out.pop(name, None)
        else:
            out[name] = _merge_value(out.get(name), value, child, f"{path}.{name}")
    return _with_list_directives(out, patch, node, path)


def _retained(live: Object, patch: Object, path: str) -> Object:
    """The live fields that ``$retainKeys`` lets stay, all of them without it."""
    retain = patch.get(_RETAIN)
    if retain is None:
        return dict(live)
    if not isinstance(retain, list):
        raise PatchError(f"{path or '.'}: $retainKeys must be a list of field names")
    extra = [key for key in patch if not key.startswith("$") and key not in retain]
    if extra:
        raise PatchError(f"{path or '.'}: $retainKeys does not name {extra[0]!r}, which is patched")
    return {key: value for key, value in live.items() if key in retain}


def _merge_value(live: Any, value: Any, node: Node | None, path: str) -> Any:
    if isinstance(value, dict):
        return _merge_object(live if isinstance(live, dict) else {}, value, node, path)
    if isinstance(value, list) and node is not None and "merge" in node.patch_strategy:
        base = live if isinstance(live, list) else []
        if node.merge_key:
            return _merge_items(base, value, node, path)
        return base + [item for item in value if item not in base]
    return _without_directives(value) if isinstance(value, list) else value


def _without_directives(items: list[Any]) -> list[Any]:
    """A list that replaces another: its own ``$patch: replace`` marks say nothing more."""
    return [item for item in items if not (isinstance(item, dict) and _PATCH in item)]


def _merge_items(live: list[Any], patch: list[Any], node: Node, path: str) -> list[Any]:
    key = node.merge_key
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        return _without_directives(patch)
    out = list(live)
    for item in patch:
        if not isinstance(item, dict):
            raise PatchError(f"{path}: a list merged by {key!r} holds objects only")
        if key not in item:
            raise PatchError(f"{path}: an item has no {key!r}, the key this list merges by")
        matches = [index for index, each in enumerate(out) if _key_of(each, key) == item[key]]
        if item.get(_PATCH) == "delete":
            out = [each for index, each in enumerate(out) if index not in matches]
        elif matches:
            at = _closest(out, matches, item, node)
            out[at] = _merge_object(out[at], item, node.items, f"{path}[{key}={item[key]}]")
        else:
            out.append(_merge_object({}, item, node.items, f"{path}[{key}={item[key]}]"))
    return out


def _closest(items: list[Any], matches: list[int], patch: Object, node: Node) -> int:
    """Of items with the same merge key the one that the other keys of the list fit: two ports of
    one number and different protocols."""
    keys = [key for key in node.list_map_keys if key in patch]
    for index in matches:
        if all(items[index].get(key) == patch[key] for key in keys):
            return index
    return matches[0]


def _key_of(item: Any, key: str) -> Any:
    return item.get(key) if isinstance(item, Mapping) else None


def _with_list_directives(out: Object, patch: Object, node: Node | None, path: str) -> Object:
    for name, value in patch.items():
        if name.startswith(_DELETE):
            field = name.removeprefix(_DELETE)
            gone = _listed(value, name, path)
            if isinstance(out.get(field), list):
                out[field] = [item for item in out[field] if item not in gone]
    for name, value in patch.items():
        if name.startswith(_ORDER):
            field = name.removeprefix(_ORDER)
            child = node.child(field) if node is not None else None
            if isinstance(out.get(field), list):
                key = child.merge_key if child is not None else ""
                out[field] = _ordered(out[field], _listed(value, name, path), key)
    return out


def _listed(value: Any, directive: str, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise PatchError(f"{path or '.'}: {directive} must be a list")
    return value


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    """The items in the given order; one that the order does not name stays behind the one before
    it."""

    def identity(item: Any) -> Any:
        return _key_of(item, key) if key and isinstance(item, Mapping) else item

    wanted = [identity(item) for item in order]
    out = [item for want in wanted for item in items if identity(item) == want]
    placed_after: Any = None
    for item in items:
        if identity(item) not in wanted:
            at = 0 if placed_after is None else _position(out, placed_after) + 1
            out.insert(at, item)
        placed_after = item
    return out


def _position(items: list[Any], item: Any) -> int:
    return next(index for index, each in enumerate(items) if each is item or each == item)
