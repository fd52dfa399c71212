"""Validation compiled to closures: one per schema part, silent and quick on a good value.

A check takes a value and returns None, or the findings with their paths in reverse order, so
that a path is only built when something is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from rouse.embedded.apiserver.schema.patterns import FORMATS, compile_pattern
from rouse.errors import FieldError

if TYPE_CHECKING:
    from rouse.embedded.apiserver.schema.node import Node

__all__ = ["Check", "Finding", "compile_check"]


@dataclass(slots=True)
class Finding:
    """What is wrong with one value; ``where`` grows outwards as the finding is handed up."""

    kind: str
    shown: str = ""
    detail: str = ""
    in_body: bool = False
    where: list[str | int] = field(default_factory=list)

    def error(self) -> FieldError:
        """The finding in the API's words."""
        path = ""
        for step in reversed(self.where):
            path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
        detail = f"{path} in body {self.detail}" if self.in_body else self.detail
        return FieldError(path, ": ".join(part for part in (self.kind, self.shown, detail) if part))


Findings = list[Finding]
Check = Callable[[Any], Findings | None]
Rule = Callable[[Any], Findings | None]

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
    rules = [*_scalar_rules(node.raw), *_junctor_rules(node)]
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


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()


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
                    found += _under(name, bad)
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
                    found += _under(index, bad)
        if identity is not None:
            found += _duplicates(value, identity)
        return found

    return check


def _duplicates(value: list[Any], identity: Callable[[Any], Any]) -> Iterable[Finding]:
    seen: set[bytes] = set()
    for index, item in enumerate(value):
        key = orjson.dumps(identity(item), option=orjson.OPT_SORT_KEYS)
        if key in seen:
            yield Finding("Duplicate value", key.decode(), where=[index])
        seen.add(key)


def _under(step: str | int, findings: Findings) -> Findings:
    for finding in findings:
        finding.where.append(step)
    return findings


def _bound(holds: Callable[[Any], bool], detail: str, shown: Callable[[Any], str] = _shown) -> Rule:
    def check(value: Any) -> Findings | None:
        return None if holds(value) else [Finding("Invalid value", shown(value), detail, True)]

    return check


def _length(value: Any) -> str:
    return str(len(value))


_Rules = list[tuple[tuple[type, ...], Rule]]
_NUMBERS = (int, float)


def _scalar_rules(raw: Mapping[str, Any]) -> _Rules:
    rules: _Rules = [*_number_rules(raw), *_string_rules(raw), *_size_rules(raw)]
    if raw.get("enum"):
        values = raw["enum"]
        listed = "supported values: " + ", ".join(_shown(value) for value in values)

        def check_enum(value: Any) -> Findings | None:
            if any(value == one and type(value) is type(one) for one in values):
                return None
            return [Finding("Unsupported value", _shown(value), listed)]

        rules.append(((str, int, float, bool, dict, list), check_enum))
    return rules


def _number_rules(raw: Mapping[str, Any]) -> _Rules:
    rules: _Rules = []
    low, high, step = raw.get("minimum"), raw.get("maximum"), raw.get("multipleOf")
    if low is not None and raw.get("exclusiveMinimum"):
        rules.append((_NUMBERS, _bound(lambda value: value > low, f"should be greater than {low}")))
    elif low is not None:
        detail = f"should be greater than or equal to {low}"
        rules.append((_NUMBERS, _bound(lambda value: value >= low, detail)))
    if high is not None and raw.get("exclusiveMaximum"):
        rules.append((_NUMBERS, _bound(lambda value: value < high, f"should be less than {high}")))
    elif high is not None:
        detail = f"should be less than or equal to {high}"
        rules.append((_NUMBERS, _bound(lambda value: value <= high, detail)))
    if step is not None:
        detail = f"should be a multiple of {step}"
        rules.append((_NUMBERS, _bound(lambda value: value % step == 0, detail)))
    return rules


def _string_rules(raw: Mapping[str, Any]) -> _Rules:
    rules: _Rules = []
    shortest, longest = raw.get("minLength"), raw.get("maxLength")
    if shortest is not None:
        detail = f"should be at least {shortest} chars long"
        rules.append(((str,), _bound(lambda value: len(value) >= shortest, detail)))
    if longest is not None:
        too_long = f"may not be more than {longest} bytes"
        rules.append(
            (
                (str,),
                lambda value: (
                    None if len(value) <= longest else [Finding("Too long", detail=too_long)]
                ),
            )
        )
    if raw.get("pattern"):
        matches = compile_pattern(raw["pattern"])
        if matches is not None:
            rules.append(((str,), _bound(matches, f"should match '{raw['pattern']}'")))
    name = raw.get("format", "")
    if name in FORMATS:

        def check_format(value: str) -> Findings | None:
            if FORMATS[name](value):
                return None
            detail = f"must be of type {name}: {_shown(value)}"
            return [Finding("Invalid value", _shown(value), detail, True)]

        rules.append(((str,), check_format))
    return rules


def _size_rules(raw: Mapping[str, Any]) -> _Rules:
    rules: _Rules = []
    for kind, noun in ((list, "Items"), (dict, "Properties")):
        fewest, most = raw.get(f"min{noun}"), raw.get(f"max{noun}")
        if fewest is not None:
            rules.append(((kind,), _at_least(fewest, noun.lower())))
        if most is not None:
            rules.append(((kind,), _at_most(most)))
    if raw.get("uniqueItems"):
        rules.append(((list,), lambda value: list(_duplicates(value, lambda item: item))))
    return rules


def _at_least(fewest: int, noun: str) -> Rule:
    return _bound(
        lambda value: len(value) >= fewest, f"should have at least {fewest} {noun}", _length
    )


def _at_most(most: int) -> Rule:
    def check(value: Any) -> Findings | None:
        if len(value) <= most:
            return None
        return [Finding("Too many", str(len(value)), f"must have at most {most} items")]

    return check


def _junctor_rules(node: Node) -> _Rules:
    every = (str, int, float, bool, dict, list)
    rules: _Rules = []
    raw = node.raw
    for part in raw.get("allOf") or ():
        rules.append((every, _all_of(node.part(part))))
    if raw.get("anyOf"):
        parts = [node.part(part) for part in raw["anyOf"]]
        rules.append(
            (
                every,
                _bound(
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
        rules.append((every, _bound(lambda value: bool(forbidden.check(value)), detail)))
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
        return [Finding("Invalid value", _shown(value), detail, True)]

    return check
