"""Whether a value fits a query, with gjson's comparisons and its `~` truths."""

from __future__ import annotations

from collections.abc import Callable
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from predictors.graph.gjson.parts import Query
from predictors.graph.gjson.values import MISSING, Kind, Result, parse_bool, parse_float
from predictors.graph.gjson.wildcard import matches
from predictors.graph.gjson.work import Work

__all__ = ["COMPARISONS", "fits", "truth_fits"]

COMPARISONS: dict[bytes, Callable[[Any, Any], bool]] = {
    b"=": eq,
    b"!=": ne,
    b"<": lt,
    b"<=": le,
    b">": gt,
    b">=": ge,
}
_TRUE = Result(Kind.TRUE, b"true")
_FALSE = Result(Kind.FALSE, b"false")


def fits(query: Query, value: Result, work: Work) -> bool:
    """Whether a value is what the query wants; one that is missing fits only a `~`."""
    wanted = query.value
    if wanted[:1] == b"~":
        value = _truth(wanted[1:], value)
        wanted = b"true"
    if not value.exists:
        return False
    if not query.operator:
        return True
    if value.kind is Kind.STRING:
        return _text_fits(query.operator, value.text, wanted, work)
    compare = COMPARISONS.get(query.operator)
    if compare is None:
        return False
    if value.kind is Kind.NUMBER:
        return compare(value.number, parse_float(wanted))
    return truth_fits(query.operator, value.kind, wanted)


def _truth(form: bytes, value: Result) -> Result:
    """What `~form` makes of a value: a truth, or nothing where gjson has no such form."""
    match form:
        case b"*":
            holds = value.exists
        case b"null":
            holds = value.kind is Kind.NULL
        case b"true":
            holds = value.as_bool()
        case b"false":
            holds = _is_false(value)
        case _:
            return MISSING
    return _TRUE if holds else _FALSE


def _is_false(value: Result) -> bool:
    if value.kind is Kind.STRING:
        return parse_bool(value.text) is False
    if value.kind is Kind.NUMBER:
        return value.number == 0
    return value.kind in (Kind.NULL, Kind.FALSE)


def _text_fits(operator: bytes, text: bytes, wanted: bytes, work: Work) -> bool:
    if operator == b"%":
        return matches(text, wanted, work)
    if operator == b"!%":
        return not matches(text, wanted, work)
    compare = COMPARISONS.get(operator)
    return compare is not None and compare(text, wanted)


def truth_fits(operator: bytes, kind: Kind, wanted: bytes) -> bool:
    """Compares true and false; what is neither, such as an object, fits nothing."""
    if kind not in (Kind.TRUE, Kind.FALSE):
        return False
    own, other, beyond = (
        (b"true", b"false", b">") if kind is Kind.TRUE else (b"false", b"true", b"<")
    )
    if operator == b"=":
        return wanted == own
    if operator == b"!=":
        return wanted != own
    if operator == beyond:
        return wanted == other
    # True is at least, and false at most, anything.
    return operator == beyond + b"="
