"""Declared defaults, filled into objects."""

from __future__ import annotations

import copy
from typing import Any

from rouse.embedded.apiserver.schema.node import Node

__all__ = ["apply_defaults"]


def apply_defaults(value: Any, node: Node) -> None:
    """Fill defaults into a value in place, and below it.

    A null in a field that is not nullable is replaced by the default, or removed without one.
    Kinds that let unknown fields pass keep their nulls where no schema speaks of them.
    """
    if type(value) is dict:
        _default_object(value, node)
    elif type(value) is list:
        items = node.items
        if items is not None:
            for item in value:
                apply_defaults(item, items)


def _default_object(value: dict[str, Any], node: Node) -> None:
    absent: list[str] = []
    for name, item in value.items():
        if item is None:
            child = node.child(name)
            if child is not None and not child.nullable and node.declares(name):
                absent.append(name)
    for name in absent:
        del value[name]
    for name, default in node.defaults:
        if name not in value:
            value[name] = copy.deepcopy(default)
    for name, item in value.items():
        kind = type(item)
        if kind is dict or kind is list:
            child = node.child(name)
            if child is not None:
                apply_defaults(item, child)
