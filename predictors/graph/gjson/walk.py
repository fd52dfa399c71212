"""Finding what a path means in a text, step by step as gjson finds it.

Texts are searched from their front and never parsed as a whole. This is what gjson does, and so
everything is as there: the first of two equal keys counts, a text that is no JSON is searched all
the same, and what follows a pipe is applied to the text of the value before it, be it a string.
"""

from __future__ import annotations

import re

from predictors.graph.gjson.modifiers import apply
from predictors.graph.gjson.parts import (
    ArrayPart,
    KeyPart,
    Query,
    array_part,
    key_part,
    literal,
    modifier,
    split_pipe,
    usable_selection,
    without_selection,
)
from predictors.graph.gjson.queries import fits
from predictors.graph.gjson.scan import VALUE, parse_text, read_value, skip_value, unescape
from predictors.graph.gjson.selections import named
from predictors.graph.gjson.values import MISSING, Kind, Result
from predictors.graph.gjson.wildcard import matches
from predictors.graph.gjson.work import Work

__all__ = ["get"]

_COST_OF_GET = 4
_CONTAINER = re.compile(rb"[{\[]")
_KEY = re.compile(rb'[^"}]*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|})', re.DOTALL)
_ELEMENT = re.compile(rb'["{\[\]ntf+\-0-9iIN]')
_SPACE = re.compile(rb"[ \t\r\n]*+")


def get(text: bytes, path: bytes, work: Work) -> Result:
    """What the path finds in the text, or MISSING; raises TooMuchWorkError."""
    while True:
        work.spend(_COST_OF_GET)
        whole = _whole(text, path, work)
        if whole is not None:
            text, path = whole
            if path[:1] not in (b".", b"|"):
                return parse_text(text, work)
            path = path[1:]
            continue
        search = _Search(text, work)
        search.run(without_selection(path))
        if search.pipe is None:
            return search.value
        text, path = search.value.raw, search.pipe


def _whole(text: bytes, path: bytes, work: Work) -> tuple[bytes, bytes] | None:
    """The new text and the rest of the path when it begins with what takes the text as a whole."""
    first = path[:1] if len(path) > 1 else b""
    if first == b"@":
        changed = modifier(path)
        return (apply(changed, text, get, work), changed.rest) if changed else None
    if first == b"!":
        return literal(path)
    chosen = usable_selection(path)
    if chosen is None:
        return None
    found = [(name, part, get(text, part, work)) for name, part in chosen.parts]
    made = named(found) if first == b"{" else b"[%b]" % b",".join(_raws(found))
    work.spend(len(made) >> 6)
    return made, chosen.rest


def _raws(found: list[tuple[bytes, bytes, Result]]) -> list[bytes]:
    return [result.raw for _, _, result in found if result.exists]


class _Search:
    """One pass over a text: what it found, and the pipe that the path goes on with."""

    def __init__(self, text: bytes, work: Work) -> None:
        self.text = text
        self.work = work
        self.value = MISSING
        self.pipe: bytes | None = None

    def run(self, path: bytes) -> None:
        if path[:2] == b"..":
            self._array(0, path[2:])
        elif container := _CONTAINER.search(self.text):
            self._container(container.start(), path)

    def _container(self, at: int, path: bytes) -> tuple[int, bool]:
        """Search the object or array that begins at `at`: where it ends, whether this is all."""
        if self.text[at] == 0x7B:
            return self._object(at + 1, path)
        return self._array(at + 1, path)

    def _object(self, at: int, path: bytes) -> tuple[int, bool]:
        part = key_part(path)
        if part.pipe is not None:
            self.pipe = part.pipe
        text = self.text
        while found := _KEY.match(text, at):
            self.work.spend(1)
            key = found.group(1)
            if key is None:
                return found.end(), False
            value = VALUE.search(text, found.end())
            if value is None:
                break
            wanted = self._key_fits(key, part)
            end, done = self._member(value.start(), wanted, part.rest)
            if done or end is None:
                return end or len(text), done
            at = end
        return len(text), False

    def _key_fits(self, key: bytes, part: KeyPart) -> bool:
        if b"\\" in key:
            key = unescape(key)
        return matches(key, part.key, self.work) if part.wild else key == part.key

    def _member(self, at: int, wanted: bool, rest: bytes | None) -> tuple[int | None, bool]:
        """Go past the value at `at`, or into it when it is wanted; its end is None when unknown."""
        if wanted and rest is None:
            read = read_value(self.text, at, self.work)
            if read is None:
                return None, False
            end, self.value = read
            return end, True
        if wanted and rest is not None and self.text[at] in b"{[":
            return self._container(at, rest)
        return skip_value(self.text, at, self.work), False

    def _array(self, at: int, path: bytes) -> tuple[int, bool]:
        part = array_part(path)
        if part.pipe is not None:
            self.pipe = part.pipe
        text = self.text
        query = _Matching(self, part.query, part.rest) if part.query else None
        starts: list[int] = []
        index = 0
        while at <= len(text):
            self.work.spend(1)
            starts.append(at)
            found = _ELEMENT.search(text, at)
            if found is None or text[found.start()] == 0x5D:
                done = self._array_ends(part, query, starts)
                return (found.end() if found else len(text) + 1), done
            if query:
                end, done = query.element(found.start())
            else:
                end, done = self._member(found.start(), part.element == index, part.rest)
            if done or end is None:
                return end or len(text), done
            at = end
            index += 1
        return at, False

    def _array_ends(self, part: ArrayPart, query: _Matching | None, starts: list[int]) -> bool:
        if part.counts:
            if part.each is None:
                count = len(starts) - 1
                self.value = Result(Kind.NUMBER, b"%d" % count, b"", float(count))
            else:
                self.value = self._each(part.each, starts)
            return True
        if query and query.query.every and not self.value.exists:
            self.value = query.all()
        return False

    def _each(self, path: bytes, starts: list[int]) -> Result:
        """What a path finds in the values at or after each start, as an array."""
        if split := split_pipe(path):
            path, self.pipe = split
        raws: list[bytes] = []
        for start in starts:
            space = _SPACE.match(self.text, start)
            at = space.end() if space else start
            if self.text[at : at + 1] in (b"", b"]"):
                continue
            read = read_value(self.text, at, self.work)
            if read is not None:
                found = get(read[1].raw, path, self.work)
                if found.exists:
                    raws.append(found.raw)
        return Result(Kind.JSON, b"[%b]" % b",".join(raws))


class _Matching:
    """The elements of one array that fit a query."""

    def __init__(self, search: _Search, query: Query, rest: bytes | None) -> None:
        self.search = search
        self.query = query
        self._rest = rest
        self._raws: list[bytes] = []

    def element(self, at: int) -> tuple[int | None, bool]:
        """Try the element at `at`: where it ends, and whether the search is over."""
        search = self.search
        read = read_value(search.text, at, search.work)
        if read is None:
            return None, False
        end, value = read
        if not self._fits(value):
            return end, False
        if self._rest is not None:
            if split := split_pipe(self._rest):
                self._rest, search.pipe = split
            value = get(value.raw, self._rest, search.work)
        if not self.query.every:
            search.value = value
            return end, True
        if value.raw:
            self._raws.append(value.raw)
        return end, False

    def _fits(self, value: Result) -> bool:
        work = self.search.work
        if value.kind is Kind.JSON:
            return fits(self.query, get(value.raw, self.query.path, work), work)
        return not self.query.path and fits(self.query, value, work)

    def all(self) -> Result:
        """The array of what was found."""
        return Result(Kind.JSON, b"[%b]" % b",".join(self._raws))
