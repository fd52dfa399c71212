"""Validation compiled to closures: one per schema part, silent and quick on a good value.

A check takes a value and returns None, or the findings with their paths in reverse order, so
that a path is only built when something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rouse.embedded.apiserver.schema.findings import (
    Check,
    Finding,
    Findings,
    Rule,
    bound,
    duplicates,
    shown_value,
    under,
)
from rouse.embedded.apiserver.schema.rules import Rules, value_rules

if TYPE_CHECKING:
    from rouse.embedded.apiserver.schema.node import Node

__all__ = ["compile_check"]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def compile_check(node: Node) -> Check:
    """The check of a schema part: its type, its bounds, its children and its ``allOf`` and kin."""
    rules = [*value_rules(node.raw), *_junctor_rules(node)]
    by_type: dict[type, list[Rule]] = {str: [], int: [], float: [], bool: [], dict: [], list: []}
    for kinds, rule in rules:
        for kind in kinds:
            by_type[kind].append(rule)
    if node.embedded or node.type in ("object", "") or node.raw.get("properties"):
        by_type[dict].insert(0, _object_rule(node))
    if node.type in ("array", ""):
        by_type[list].insert(0, _array_rule(node))
    flat = {kind: tuple(rules) for kind, rules in by_type.items()}
    allowed = _TYPES.get(node.type, ())
    if node.int_or_string:
        allowed = (int, float, str) if node.raw.get("format") == "quantity" else (int, str)
    wanted = "integer,string" if node.int_or_string else node.type
    nullable = node.nullable or not allowed

    def check(value: Any) -> Findings | None:
        kind = type(value)
        if value is None and nullable:
            return None
        if allowed and kind not in allowed and not (wanted == "integer" and _is_whole(value)):
            name = _type_name(value)
            return [
                Finding("Invalid value", f'"{name}"', f'must be of type {wanted}: "{name}"', True)
            ]
        found: Findings | None = None
        for rule in flat.get(kind, ()):
            bad = rule(value)
            if bad:
                found = bad if found is None else found + bad
        return found

    return check


def _is_whole(value: Any) -> bool:
    return type(value) is float and value.is_integer()


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    for name, kinds in _TYPES.items():
        if type(value) in kinds:
            return name
    return type(value).__name__


def _object_rule(node: Node) -> Rule:
    required = tuple(node.raw.get("required") or ())
    child = node.child

    def check(value: dict[str, Any]) -> Findings | None:
        found: Findings = []
        for name, item in value.items():
            part = child(name)
            if part is not None:
                bad = part.check(item)
                if bad:
                    found += under(name, bad)
        for name in required:
            if name not in value:
                found.append(Finding("Required value", where=[name]))
        return found

    return check


def _array_rule(node: Node) -> Rule:
    keys = node.list_map_keys
    if node.list_type == "map" and keys:
        identity: Callable[[Any], Any] | None = lambda item: (  # noqa: E731
            {key: item[key] for key in keys if key in item} if isinstance(item, dict) else item
        )
    else:
        identity = (lambda item: item) if node.list_type == "set" else None

    def check(value: list[Any]) -> Findings | None:
        found: Findings = []
        items = node.items
        if items is not None:
            for index, item in enumerate(value):
                bad = items.check(item)
                if bad:
                    found += under(index, bad)
        if identity is not None:
            found += duplicates(value, identity)
        return found

    return check


def _junctor_rules(node: Node) -> Rules:
    every = (str, int, float, bool, dict, list)
    rules: Rules = []
    raw = node.raw
    for part in raw.get("allOf") or ():
        rules.append((every, _all_of(node.part(part))))
    if raw.get("anyOf"):
        parts = [node.part(part) for part in raw["anyOf"]]
        rules.append(
            (
                every,
                bound(
                    lambda value: any(not part.check(value) for part in parts),
                    "must validate at least one schema (anyOf)",
                ),
            )
        )
    if raw.get("oneOf"):
        rules.append((every, _one_of([node.part(part) for part in raw["oneOf"]])))
    if raw.get("not"):
        forbidden = node.part(raw["not"])
        detail = "must not validate the schema (not)"
        rules.append((every, bound(lambda value: bool(forbidden.check(value)), detail)))
    return rules


def _all_of(part: Node) -> Rule:
    return lambda value: part.check(value)


def _one_of(parts: list[Node]) -> Rule:
    def check(value: Any) -> Findings | None:
        valid = sum(1 for part in parts if not part.check(value))
        if valid == 1:
            return None
        found = f"Found {valid} valid alternatives" if valid else "Found none valid"
        detail = f"must validate one and only one schema (oneOf). {found}"
        return [Finding("Invalid value", shown_value(value), detail, True)]

    return check
