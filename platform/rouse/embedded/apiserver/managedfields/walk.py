"""Field sets of values, and of the difference between two values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rouse.embedded.apiserver.managedfields.elements import (
    item_elements,
    shares_fields,
    shares_items,
)
from rouse.embedded.apiserver.managedfields.fieldset import FieldSet, node_of
from rouse.embedded.apiserver.schema import Node

__all__ = ["Comparison", "compare", "field_set"]


def field_set(value: dict[str, Any], node: Node | None) -> FieldSet:
    """Every field a value sets. An object or list of declared fields is not a member itself, only
    what is in it; list items and free keys are."""
    return _set_of(value, node, every=False)


def _set_of(value: Any, node: Node | None, *, every: bool) -> FieldSet:
    out: FieldSet = {}
    if shares_fields(value, node):
        for name, item in value.items():
            child = node.child(name) if node is not None else None
            below = _set_of(item, child, every=every)
            member = every or node is None or not node.declares(name)
            out[f"f:{name}"] = node_of(member, below)
    elif node is not None and shares_items(value, node):
        for element, item in zip(item_elements(value, node), value, strict=True):
            out[element] = node_of(True, _set_of(item, node.items, every=every))
    return out


@dataclass(slots=True)
class Comparison:
    """How one value became another: fields that are new or have another value, fields gone."""

    changed: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)


def compare(old: dict[str, Any], new: dict[str, Any], node: Node | None) -> Comparison:
    """The difference between two values of one schema."""
    out = Comparison()
    _compare_fields(old, new, node, out)
    return out


def _compare_fields(
    old: dict[str, Any], new: dict[str, Any], node: Node | None, out: Comparison
) -> None:
    for name, item in new.items():
        if name not in old:
            child = node.child(name) if node is not None else None
            out.changed[f"f:{name}"] = _whole(item, child)
        elif old[name] is not item and old[name] != item:
            child = node.child(name) if node is not None else None
            _compare_values(f"f:{name}", old[name], item, child, out)
    for name, item in old.items():
        if name not in new:
            child = node.child(name) if node is not None else None
            out.removed[f"f:{name}"] = _whole(item, child)


def _whole(value: Any, node: Node | None) -> FieldSet:
    """An element that came or went with all that is below it."""
    return node_of(True, _set_of(value, node, every=True))


def _compare_values(element: str, old: Any, new: Any, node: Node | None, out: Comparison) -> None:
    below = Comparison()
    if shares_fields(old, node) and shares_fields(new, node):
        _compare_fields(old, new, node, below)
    elif node is not None and shares_items(old, node) and shares_items(new, node):
        _compare_items(old, new, node, below)
    else:
        below.removed = _set_of(old, node, every=True)
        out.changed[element] = _whole(new, node)
    if below.changed:
        out.changed[element] = below.changed
    if below.removed:
        out.removed[element] = below.removed


def _compare_items(old: list[Any], new: list[Any], node: Node, out: Comparison) -> None:
    before = dict(zip(item_elements(old, node), old, strict=True))
    after = dict(zip(item_elements(new, node), new, strict=True))
    for element, item in after.items():
        if element not in before:
            out.changed[element] = _whole(item, node.items)
        elif before[element] != item:
            _compare_values(element, before[element], item, node.items, out)
    for element, item in before.items():
        if element not in after:
            out.removed[element] = _whole(item, node.items)
