"""Removal of fields that a schema does not know."""

from __future__ import annotations

from typing import Any

from rouse.embedded.apiserver.schema.node import Node

__all__ = ["prune"]

_IDENTITY = frozenset(("apiVersion", "kind", "metadata"))


def prune(value: dict[str, Any], node: Node) -> list[str]:
    """Remove unknown fields of a value in place and below it; their paths relative to it."""
    return _prune_object(value, node)


def _prune(value: Any, node: Node | None) -> list[str]:
    if node is None:
        return []
    if type(value) is dict:
        return _prune_object(value, node)
    if type(value) is list:
        items = node.items
        gone: list[str] = []
        if items is not None:
            for index, item in enumerate(value):
                gone += _under(f"[{index}]", _prune(item, items))
        return gone
    return []


def _prune_object(value: dict[str, Any], node: Node) -> list[str]:
    gone: list[str] = []
    unknown: list[str] = []
    for name, item in value.items():
        child = node.child(name)
        if child is not None:
            kind = type(item)
            if kind is dict or kind is list:
                below = _prune(item, child)
                if below:
                    gone += _under(name, below)
        elif node.closed and not (node.embedded and name in _IDENTITY):
            unknown.append(name)
    for name in unknown:
        del value[name]
    return gone + unknown


def _under(step: str, paths: list[str]) -> list[str]:
    return [f"{step}{path}" if path.startswith("[") else f"{step}.{path}" for path in paths]
