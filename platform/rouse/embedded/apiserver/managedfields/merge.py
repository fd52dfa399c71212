"""Merging an applied configuration into a live object, and taking given-up fields out again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rouse.embedded.apiserver.managedfields.elements import (
    item_elements,
    shares_fields,
    shares_items,
)
from rouse.embedded.apiserver.managedfields.fieldset import FieldSet, member_paths
from rouse.embedded.apiserver.schema import Node
from rouse.errors import InvalidError

__all__ = ["merge", "remove"]


def merge(live: Any, config: Any, node: Node | None, path: str = "") -> Any:
    """The live value with the applied one laid over it: objects and keyed lists item by item,
    all else as a whole. `InvalidError` when an applied list has two items of one key."""
    if shares_fields(config, node):
        base = live if shares_fields(live, node) else {}
        out = dict(base)
        for name, item in config.items():
            child = node.child(name) if node is not None else None
            out[name] = merge(base.get(name), item, child, f"{path}.{name}")
        return live if out == live else out
    if node is not None and shares_items(config, node):
        return _merge_items(live if shares_items(live, node) else [], config, node, path)
    return config


def _merge_items(live: list[Any], config: list[Any], node: Node, path: str) -> list[Any]:
    """Applied items in their order; an item that only the live list has stays behind the one it
    followed there."""
    wanted = item_elements(config, node)
    _refuse_duplicates(wanted, path)
    there = dict(zip(item_elements(live, node), live, strict=True))
    merged = {
        element: merge(there.get(element), item, node.items, path + _suffix(element))
        for element, item in zip(wanted, config, strict=True)
    }
    order: list[str] = list(merged)
    before: str | None = None
    for element in there:
        if element not in merged:
            order.insert(0 if before is None else order.index(before) + 1, element)
        before = element
    out = [merged[element] if element in merged else there[element] for element in order]
    return live if out == live else out


def _refuse_duplicates(elements: list[str], path: str) -> None:
    seen: set[str] = set()
    for element in elements:
        if element in seen:
            key = _suffix(element)
            raise InvalidError(f"{path}: duplicate entries for key {key}; list each item once")
        seen.add(element)


def _suffix(element: str) -> str:
    return next(member_paths({element: {}}))


def remove(
    value: Any, given_up: FieldSet, owned: FieldSet, node: Node | None, keys: Collection[str] = ()
) -> Any:
    """The value without the fields of ``given_up`` under which nothing is ``owned`` by anyone.

    ``keys`` are fields of the value that stay as long as it does itself, such as those that name a
    list item.
    """
    if shares_fields(value, node):
        out = dict(value)
        for element, gone in given_up.items():
            name = element[2:]
            if element[:2] != "f:" or name not in out:
                continue
            kept = owned.get(element)
            if kept is None and name not in keys:
                del out[name]
            else:
                child = node.child(name) if node is not None else None
                out[name] = remove(out[name], gone, kept or {}, child)
        return out
    if node is not None and shares_items(value, node):
        left: list[Any] = []
        for element, item in zip(item_elements(value, node), value, strict=True):
            if element in given_up and element not in owned:
                continue
            if element in given_up:
                below = given_up[element], owned[element]
                left.append(remove(item, *below, node.items, node.list_map_keys))
            else:
                left.append(item)
        return left
    return value
