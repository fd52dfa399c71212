"""Rules on single values: enums, bounds, lengths, patterns and formats, sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rouse.embedded.apiserver.schema.findings import (
    Finding,
    Findings,
    Rule,
    bound,
    duplicates,
    shown_value,
)
from rouse.embedded.apiserver.schema.patterns import FORMATS, compile_pattern

__all__ = ["Rules", "value_rules"]

Rules = list[tuple[tuple[type, ...], Rule]]
"""Rules, each with the types of the values it is for."""

_NUMBERS = (int, float)


def value_rules(raw: Mapping[str, Any]) -> Rules:
    """The rules of a schema on values of their own, whatever is below them."""
    rules: Rules = [*_number_rules(raw), *_string_rules(raw), *_size_rules(raw)]
    if raw.get("enum"):
        values = raw["enum"]
        listed = "supported values: " + ", ".join(shown_value(value) for value in values)

        def check_enum(value: Any) -> Findings | None:
            if any(value == one and type(value) is type(one) for one in values):
                return None
            return [Finding("Unsupported value", shown_value(value), listed)]

        rules.append(((str, int, float, bool, dict, list), check_enum))
    return rules


def _number_rules(raw: Mapping[str, Any]) -> Rules:
    rules: Rules = []
    low, high, step = raw.get("minimum"), raw.get("maximum"), raw.get("multipleOf")
    if low is not None and raw.get("exclusiveMinimum"):
        rules.append((_NUMBERS, bound(lambda value: value > low, f"should be greater than {low}")))
    elif low is not None:
        detail = f"should be greater than or equal to {low}"
        rules.append((_NUMBERS, bound(lambda value: value >= low, detail)))
    if high is not None and raw.get("exclusiveMaximum"):
        rules.append((_NUMBERS, bound(lambda value: value < high, f"should be less than {high}")))
    elif high is not None:
        detail = f"should be less than or equal to {high}"
        rules.append((_NUMBERS, bound(lambda value: value <= high, detail)))
    if step is not None:
        detail = f"should be a multiple of {step}"
        rules.append((_NUMBERS, bound(lambda value: value % step == 0, detail)))
    return rules


def _string_rules(raw: Mapping[str, Any]) -> Rules:
    rules: Rules = []
    shortest, longest = raw.get("minLength"), raw.get("maxLength")
    if shortest is not None:
        detail = f"should be at least {shortest} chars long"
        rules.append(((str,), bound(lambda value: len(value) >= shortest, detail)))
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
            rules.append(((str,), bound(matches, f"should match '{raw['pattern']}'")))
    name = raw.get("format", "")
    if name in FORMATS:

        def check_format(value: str) -> Findings | None:
            if FORMATS[name](value):
                return None
            detail = f"must be of type {name}: {shown_value(value)}"
            return [Finding("Invalid value", shown_value(value), detail, True)]

        rules.append(((str,), check_format))
    return rules


def _size_rules(raw: Mapping[str, Any]) -> Rules:
    rules: Rules = []
    for kind, noun in ((list, "Items"), (dict, "Properties")):
        fewest, most = raw.get(f"min{noun}"), raw.get(f"max{noun}")
        if fewest is not None:
            rules.append(((kind,), _at_least(fewest, noun.lower())))
        if most is not None:
            rules.append(((kind,), _at_most(most)))
    if raw.get("uniqueItems"):
        rules.append(((list,), lambda value: list(duplicates(value, lambda item: item))))
    return rules


def _at_least(fewest: int, noun: str) -> Rule:
    return bound(
        lambda value: len(value) >= fewest, f"should have at least {fewest} {noun}", _length
    )


def _at_most(most: int) -> Rule:
    def check(value: Any) -> Findings | None:
        if len(value) <= most:
            return None
        return [Finding("Too many", str(len(value)), f"must have at most {most} items")]

    return check


def _length(value: Any) -> str:
    return str(len(value))
