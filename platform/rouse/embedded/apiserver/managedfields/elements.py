"""How values divide into fields that can have owners of their own."""

from __future__ import annotations

from typing import Any, TypeGuard

import orjson

from rouse.embedded.apiserver.schema import Node

__all__ = ["item_elements", "shares_fields", "shares_items"]


def shares_fields(value: Any, node: Node | None) -> TypeGuard[dict[str, Any]]:
    """Whether the fields of a value are owned one by one; without a schema those of objects are."""
    return type(value) is dict and (node is None or node.map_type != "atomic")


def shares_items(value: Any, node: Node | None) -> TypeGuard[list[Any]]:
    """Whether the items of a value are owned one by one; without a schema a list is one value."""
    return type(value) is list and node is not None and node.list_type in ("map", "set")


def item_elements(items: list[Any], node: Node) -> list[str]:
    """The path element of every item: ``k:{"name":"web"}`` or ``v:"x"``. Two items of a list that
    breaks the rules of its type may have the same."""
    if node.list_type == "set":
        return [f"v:{orjson.dumps(item, option=orjson.OPT_SORT_KEYS).decode()}" for item in items]
    keys = sorted(node.list_map_keys)
    defaults = _key_defaults(node)
    return [_keyed(item, keys, defaults) for item in items]


def _keyed(item: Any, keys: list[str], defaults: dict[str, Any]) -> str:
    if type(item) is not dict:
        return f"v:{orjson.dumps(item, option=orjson.OPT_SORT_KEYS).decode()}"
    found = {}
    for key in keys:
        value = item.get(key, defaults.get(key))
        if value is not None:
            found[key] = value
    return f"k:{orjson.dumps(found).decode()}"


def _key_defaults(node: Node) -> dict[str, Any]:
    """Defaults of key fields: a port without a protocol is the same item as one with TCP."""
    return dict(node.items.defaults) if node.items is not None else {}
