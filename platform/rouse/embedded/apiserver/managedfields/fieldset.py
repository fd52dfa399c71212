"""Algebra of field sets in their FieldsV1 form.

A set is a tree: ``{"f:spec": {"f:replicas": {}, "f:template": {".": {}, "f:x": {}}}}``. A key is
a path element: ``f:`` a field, ``k:`` a list item by its keys, ``v:`` one by its value, ``i:`` one
by its index. An element is a member of the set when it has nothing below it or holds a ``.``.
The empty tree at the top is the empty set. No function changes its arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

__all__ = [
    "FieldSet",
    "difference",
    "intersection",
    "is_member",
    "member_paths",
    "node_of",
    "union",
]

FieldSet = dict[str, Any]
SELF = "."


def is_member(node: FieldSet) -> bool:
    """Whether an element is in the set itself, not merely on the way to others."""
    return not node or SELF in node


def node_of(member: bool, below: FieldSet) -> FieldSet:
    """The node of an element with a set below it."""
    return {SELF: {}, **below} if member and below else below


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """What is in either set."""
    if not left or not right:
        return left or right
    out = dict(left)
    for element, node in right.items():
        mine = out.get(element)
        out[element] = node if mine is None or mine == node else _union_node(mine, node)
    return out


def _union_node(left: FieldSet, right: FieldSet) -> FieldSet:
    below = union(_below(left), _below(right))
    return node_of(is_member(left) or is_member(right), below)


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """What is in the left set and not in the right one; each path by itself."""
    if not left or not right:
        return left
    out: FieldSet = {}
    for element, node in left.items():
        other = right.get(element)
        if other is None:
            out[element] = node
        elif node != other:
            member = is_member(node) and not is_member(other)
            below = difference(_below(node), _below(other))
            if member or below:
                out[element] = node_of(member, below)
    return out


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """What is in both sets."""
    out: FieldSet = {}
    for element, node in left.items():
        other = right.get(element)
        if other is None:
            continue
        member = is_member(node) and is_member(other)
        below = intersection(_below(node), _below(other))
        if member or below:
            out[element] = node_of(member, below)
    return out


def _below(node: FieldSet) -> FieldSet:
    if SELF not in node:
        return node
    return {element: child for element, child in node.items() if element != SELF}


def member_paths(fields: FieldSet, prefix: str = "") -> Iterator[str]:
    """The members as people read them: ``.spec.containers[name="web"].image``."""
    for element, node in sorted(fields.items()):
        if element == SELF:
            continue
        path = prefix + _shown(element)
        if is_member(node):
            yield path
        yield from member_paths(node, path)


def _shown(element: str) -> str:
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return f".{rest}"
    if kind == "k:":
        keys = orjson.loads(rest)
        return "[" + ",".join(f"{key}={_json(value)}" for key, value in keys.items()) + "]"
    return f"[={rest}]" if kind == "v:" else f"[{rest}]"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
