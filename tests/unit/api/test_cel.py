"""The texts of the rules, evaluated: each refuses what its examples break, and nothing else.

Needs a CEL evaluator (the module celpy), which nothing else of Rouse does: skipped without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from rouse.api.rules import RULES, Rule
from tests.unit.api.kinds import SPECS, of_kind
from tests.unit.api.test_rules import EXAMPLES, LET_IN, Example

Object = dict[str, Any]

celpy = pytest.importorskip("celpy", reason="no CEL evaluator (celpy) is installed")


def places(value: Any, old: Any, path: str) -> Iterator[tuple[Any, Any]]:
    """Every value at a place such as ``spec.nodes.*.steps[]``, with the one it replaces."""
    steps = re.findall(r"\[\]|[^.\[\]]+", path)
    found = [(value, old)]
    for step in steps:
        found = [pair for each in found for pair in inner(*each, step)]
    yield from found


def inner(value: Any, old: Any, step: str) -> Iterator[tuple[Any, Any]]:
    if step == "[]":
        yield from ((each, None) for each in value)
    elif step == "*":
        yield from ((each, (old or {}).get(key)) for key, each in value.items())
    elif step in value:
        yield value[step], (old or {}).get(step)


def total(numbers: Any) -> Any:
    return celpy.celtypes.IntType(sum(numbers))


def holds(rule: Rule, obj: Object, old: Object | None) -> bool:
    environment = celpy.Environment()
    program = environment.program(environment.compile(rule.cel), functions={"sum": total})
    for value, before in places(obj, old, rule.at):
        given = {"self": celpy.json_to_cel(value)}
        if "oldSelf" in rule.cel:
            if before is None:
                continue
            given["oldSelf"] = celpy.json_to_cel(before)
        if not program.evaluate(given):
            return False
    return True


def broken(kind: str, obj: Object, old: Object | None) -> list[str]:
    return [rule.message for rule in RULES.get(kind, ()) if not holds(rule, obj, old)]


@pytest.mark.parametrize("kind", SPECS)
def test_a_good_object_breaks_no_rule(kind: str) -> None:
    assert broken(kind, of_kind(kind), of_kind(kind)) == []


@pytest.mark.parametrize(("kind", "changes"), LET_IN)
def test_what_admission_lets_in_breaks_no_rule(
    kind: str, changes: tuple[tuple[str, Any], ...]
) -> None:
    assert broken(kind, of_kind(kind, *changes), None) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.kind}-{e.path}")
def test_an_example_breaks_the_rule_that_it_is_for(example: Example) -> None:
    old = of_kind(example.kind) if example.update else None
    [message] = broken(example.kind, of_kind(example.kind, *example.changes), old)
    assert message.startswith(example.message)
