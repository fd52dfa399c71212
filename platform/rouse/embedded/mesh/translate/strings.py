"""StringMatch of Istio -> StringMatcher of Envoy, with regular expressions Envoy will accept."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any, Final

from rouse.embedded.mesh.translate.problems import InvalidFieldError
from rouse.kube.objects import Object

# sre's own parser is the only one in the standard library that shows a pattern's structure.
from re import _constants, _parser  # type: ignore[attr-defined]  # isort: skip

__all__ = ["checked_regex", "string_matcher"]

_KINDS: Final = {"exact": "exact", "prefix": "prefix", "regex": "regex"}
_LONGEST: Final = 1024
_MOST_REPEATS: Final = 1000
_MOST_STATES: Final = 50_000
_NOT_IN_RE2: Final = {
    _constants.GROUPREF: "back-references",
    _constants.GROUPREF_EXISTS: "conditional groups",
    _constants.ASSERT: "look-ahead and look-behind",
    _constants.ASSERT_NOT: "look-ahead and look-behind",
    _constants.ATOMIC_GROUP: "atomic groups",
    _constants.POSSESSIVE_REPEAT: "possessive repeats",
}
_RE2_ONLY: Final = (
    (re.compile(r"\\[pP](\{\^?\w+\}|\w)"), "a"),
    (re.compile(r"\[\[:\^?\w+:\]\]"), "a"),
    (re.compile(r"\[:\^?\w+:\]"), "a"),
    (re.compile(r"\\z"), r"\\Z"),
    (re.compile(r"\\[QE]"), ""),
    (re.compile(r"\(\?<(\w+)>"), r"(?P<\1>"),
)
"""Syntax RE2 has and sre has not, rewritten to something of the same shape for the check."""


def string_matcher(match: Any, path: str) -> Object | None:
    """Translate a StringMatch; None stands for "present", which ``{}`` means."""
    if not isinstance(match, dict):
        raise InvalidFieldError(path, "must be an object with exact, prefix or regex")
    if not match:
        return None
    if len(match) != 1 or (kind := next(iter(match))) not in _KINDS:
        raise InvalidFieldError(path, "needs one of exact, prefix, regex")
    value = match[kind]
    if not isinstance(value, str):
        raise InvalidFieldError(f"{path}.{kind}", "must be a string")
    if kind == "regex":
        return {"safe_regex": {"regex": checked_regex(value, f"{path}.regex")}}
    if kind == "prefix" and not value:
        raise InvalidFieldError(f"{path}.prefix", "must not be empty")
    return {_KINDS[kind]: value}


def checked_regex(pattern: str, path: str) -> str:
    """Return the pattern if RE2 will compile it; raises InvalidFieldError.

    Envoy would refuse the whole route table for one bad pattern, so the check errs on the side of
    refusing.
    """
    if not pattern or len(pattern) > _LONGEST:
        raise InvalidFieldError(path, f"must have 1 to {_LONGEST} characters")
    shape = pattern
    for syntax, stand_in in _RE2_ONLY:
        shape = syntax.sub(stand_in, shape)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = _parser.parse(shape)
    except (re.error, RecursionError, OverflowError) as error:
        message = f'"{pattern}" is not a regular expression: {error}'
        raise InvalidFieldError(path, message) from error
    if _states(parsed, path) > _MOST_STATES:
        raise InvalidFieldError(path, f'"{pattern}" is too large; use smaller repeats')
    return pattern


def _states(parsed: Any, path: str) -> int:
    """Estimate the size of the compiled program, refusing what RE2 has not."""
    total = 0
    for operation, argument in parsed:
        if operation in _NOT_IN_RE2:
            raise InvalidFieldError(path, f"Envoy has no {_NOT_IN_RE2[operation]} (RE2 syntax)")
        times = 1
        if operation in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            low, high = argument[0], argument[1]
            times = max(low, 0 if high is _constants.MAXREPEAT else high, 1)
            if times > _MOST_REPEATS:
                raise InvalidFieldError(path, f"repeats more than {_MOST_REPEATS} times")
        total += times * (1 + sum(_states(inner, path) for inner in _inner(argument)))
    return total


def _inner(argument: Any) -> Iterator[Any]:
    """Find the patterns inside an operation's argument."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, (list, tuple)):
        for part in argument:
            yield from _inner(part)
