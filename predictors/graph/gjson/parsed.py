"""Whether a path finds anything in a parsed document: the quick way, for the plain paths.

Keys, wildcards, indexes, #, queries, pipes, @this, @dig and multipaths of arrays are looked up in
the values that a JSON parser made, with the outcome that searching the text has. What needs the
text itself, such as a modifier or a pipe behind a string with brackets in it, raises
NeedsTextError.

A parser keeps the last of two equal keys, where gjson takes the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from predictors.graph.gjson.parts import (
    MODIFIERS,
    Query,
    array_part,
    key_part,
    literal,
    modifier,
    split_pipe,
    usable_selection,
    without_selection,
)
from predictors.graph.gjson.queries import COMPARISONS, truth_fits
from predictors.graph.gjson.values import Kind, parse_bool, parse_float
from predictors.graph.gjson.wildcard import text_matches
from predictors.graph.gjson.work import Work

__all__ = ["NeedsTextError", "exists", "is_plain"]

_MISSING: Final = object()
_COST_OF_GET: Final = 2
_COST_OF_LEVEL: Final = 3
_CONTAINERS: Final = (dict, list)
_NUMBERS: Final = (int, float)
_NEEDS_TEXT = re.compile(
    rb"@(?:%b)|\{|^\.\.|(?:^|[.|,:(\[])!(?![=%%])"
    % b"|".join(sorted(MODIFIERS - {b"dig", b"this"}))
)


class NeedsTextError(Exception):
    """The text has to be searched: the parsed document cannot tell."""


def is_plain(path: bytes) -> bool:
    """Whether it is worth a try: False where a path surely needs the text."""
    return _NEEDS_TEXT.search(path) is None


def exists(document: Any, path: bytes, work: Work) -> bool:
    """Whether the path finds something; raises NeedsTextError and TooMuchWorkError."""
    return _get(document, path, work) is not _MISSING


def _get(value: Any, path: bytes, work: Work) -> Any:
    while True:
        work.spend(_COST_OF_GET)
        if len(path) > 1 and path[0] in b"@![{.":
            whole = _whole(value, path, work)
            if whole is not None:
                value, path = whole
                if path[:1] not in (b".", b"|"):
                    return value
                path = path[1:]
                continue
            path = without_selection(path)
        if not isinstance(value, _CONTAINERS):
            if isinstance(value, str) and ("[" in value or "{" in value):
                raise NeedsTextError
            return _MISSING
        lookup = _Lookup(work)
        lookup.within(value, path)
        if lookup.pipe is None:
            return lookup.value
        value, path = lookup.value, lookup.pipe


def _whole(value: Any, path: bytes, work: Work) -> tuple[Any, bytes] | None:
    """The new value and the rest of a path that begins with what takes the value as a whole."""
    if path[:2] == b".." or (path[0] == 0x21 and literal(path)):
        raise NeedsTextError
    if path[0] == 0x40 and (named := modifier(path)):
        if named.name == b"dig":
            return _dig(value, named.argument, work), named.rest
        if named.name != b"this":
            raise NeedsTextError
        return value, named.rest
    chosen = usable_selection(path)
    if chosen is None:
        return None
    if path[0] == 0x7B:
        raise NeedsTextError
    found = [_get(value, part, work) for _, part in chosen.parts]
    return [one for one in found if one is not _MISSING], chosen.rest


def _dig(value: Any, path: bytes, work: Work) -> list[Any]:
    """What a path finds in a value and in all that is within it, parents first."""
    found: list[Any] = []
    waiting = [value]
    while waiting:
        value = waiting.pop()
        one = _get(value, path, work)
        if one is not _MISSING:
            found.append(one)
        if isinstance(value, _CONTAINERS):
            within = value.values() if isinstance(value, dict) else value
            waiting.extend(reversed(within))
    return found


class _Lookup:
    """One way into nested containers: what it found, and the pipe that the path goes on with."""

    __slots__ = ("pipe", "value", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.value: Any = _MISSING
        self.pipe: bytes | None = None

    def within(self, container: dict[str, Any] | list[Any], path: bytes) -> bool:
        """Look in a container; whether the search is over."""
        self.work.spend(_COST_OF_LEVEL)
        if isinstance(container, dict):
            return self._object(container, path)
        return self._array(container, path)

    def _object(self, container: dict[str, Any], path: bytes) -> bool:
        part = key_part(path)
        if part.pipe is not None:
            self.pipe = part.pipe
        if not part.wild:
            name = part.key.decode("utf-8", "replace")
            return name in container and self._member(container[name], part.rest)
        self.work.spend(len(container))
        return any(
            text_matches(name, part.key, self.work) and self._member(value, part.rest)
            for name, value in container.items()
        )

    def _member(self, value: Any, rest: bytes | None) -> bool:
        if rest is None:
            self.value = value
            return True
        return isinstance(value, _CONTAINERS) and self.within(value, rest)

    def _array(self, container: list[Any], path: bytes) -> bool:
        part = array_part(path)
        if part.pipe is not None:
            self.pipe = part.pipe
        if part.query:
            return self._query(container, part.query, part.rest)
        if part.counts:
            self.value = len(container) if part.each is None else self._each(container, part.each)
            return True
        if part.element is None or part.element >= len(container):
            return False
        return self._member(container[part.element], part.rest)

    def _each(self, container: list[Any], path: bytes) -> list[Any]:
        if split := split_pipe(path):
            path, self.pipe = split
        found = [_get(value, path, self.work) for value in container]
        return [value for value in found if value is not _MISSING]

    def _query(self, container: list[Any], query: Query, rest: bytes | None) -> bool:
        self.work.spend(len(container))
        chosen: list[Any] = []
        fits = _test(query, self.work)
        for value in container:
            if isinstance(value, _CONTAINERS):
                if not fits(_get(value, query.path, self.work)):
                    continue
            elif query.path or not fits(value):
                continue
            if rest is not None:
                if split := split_pipe(rest):
                    rest, self.pipe = split
                value = _get(value, rest, self.work)
            if not query.every:
                self.value = value
                return True
            if value is not _MISSING:
                chosen.append(value)
        if query.every and self.value is _MISSING:
            self.value = chosen
        return False


_Test = Callable[[Any], bool]


def _test(query: Query, work: Work) -> _Test:
    """Whether a value is what the query wants."""
    if query.value[:1] == b"~":
        return _truth_test(query)
    if not query.operator:
        return lambda value: value is not _MISSING
    text = query.value.decode("utf-8", "replace")
    number = parse_float(query.value)
    compare = COMPARISONS.get(query.operator)
    like = {b"%": True, b"!%": False}.get(query.operator)

    def fits(value: Any) -> bool:
        if isinstance(value, str):
            if compare:
                return compare(value, text)
            return text_matches(value, query.value, work) is like
        if value is True or value is False:
            return truth_fits(query.operator, Kind.TRUE if value else Kind.FALSE, query.value)
        if isinstance(value, _NUMBERS):
            return compare is not None and compare(float(value), number)
        return False

    return fits


def _truth_test(query: Query) -> _Test:
    holds = _TRUTHS.get(query.value[1:])
    if holds is None:
        return lambda _: False
    wanted_of = {
        truth: not query.operator
        or truth_fits(query.operator, Kind.TRUE if truth else Kind.FALSE, b"true")
        for truth in (False, True)
    }
    return lambda value: wanted_of[holds(value)]


def _is_true(value: Any) -> bool:
    if isinstance(value, str):
        return parse_bool(value.encode()) is True
    return isinstance(value, _NUMBERS) and value != 0


def _is_false(value: Any) -> bool:
    if isinstance(value, str):
        return parse_bool(value.encode()) is False
    return value is _MISSING or value is None or (isinstance(value, _NUMBERS) and value == 0)


_TRUTHS: dict[bytes, _Test] = {
    b"*": lambda value: value is not _MISSING,
    b"null": lambda value: value is _MISSING or value is None,
    b"true": _is_true,
    b"false": _is_false,
}
