"""JSON text spread over lines, as Go's tidwall/pretty lays it out."""

from __future__ import annotations

import re
from typing import NamedTuple

from predictors.graph.gjson.scan import STRING, VALUE, unescape
from predictors.graph.gjson.validity import is_valid
from predictors.graph.gjson.values import parse_float
from predictors.graph.gjson.work import Work

__all__ = ["Layout", "pretty"]

_NUMBER = re.compile(rb"[^\x00-\x20,:\]}]*+")
_WORDS = {b"t": b"true", b"f": b"false", b"n": b"null"}
_DEEPEST = 150
_RANKS = {b'"': 3, b"f": 1, b"t": 4, b"n": 0, b"[": 5, b"{": 5, b"": 0}
_NUMBER_RANK = 2


class Layout(NamedTuple):
    """How a text is laid out; widths are in bytes."""

    width: int = 80
    """Arrays without objects that fit stay on one line; below 1 none does."""
    prefix: bytes = b""
    indent: bytes = b"  "
    sort_keys: bool = False


class _TooDeepError(Exception):
    pass


def pretty(text: bytes, layout: Layout, work: Work) -> bytes:
    """The text on lines of its own for every member; deeper than 150 levels it stays as it is."""
    writer = _Writer(text, layout, work)
    try:
        writer.value(0, 0, 0)
    except _TooDeepError:
        return text
    return bytes(writer.out + b"\n") if writer.out else b""


class _Writer:
    """Writes one text. Positions are offsets in it; `mark` is where the last line began."""

    def __init__(self, text: bytes, layout: Layout, work: Work) -> None:
        self.text = text
        self.layout = layout
        self.work = work
        self.out = bytearray(layout.prefix)

    def value(self, at: int, tabs: int, mark: int) -> tuple[int, int]:
        """Write the next value at or after `at`: where it ends, and the new mark."""
        found = VALUE.search(self.text, at)
        if found is None:
            return len(self.text), mark
        at = found.start()
        if self.text[at] in b"{[":
            return self._container(at, tabs, mark)
        return self._scalar(at), mark

    def _scalar(self, at: int) -> int:
        self.work.spend(1)
        first = self.text[at : at + 1]
        word = _WORDS.get(first)
        if word and not (first == b"n" and self.text[at + 1 : at + 2] not in (b"u", b"")):
            self.out += word
            return at + len(word)
        found = STRING.match(self.text, at) if first == b'"' else _NUMBER.match(self.text, at + 1)
        end = found.end() if found else len(self.text)
        self.out += self.text[at:end]
        return end

    def _container(self, at: int, tabs: int, mark: int) -> tuple[int, int]:
        if tabs > _DEEPEST:
            raise _TooDeepError
        is_array = self.text[at] == 0x5B
        if is_array and (end := self._fitting(at, mark)):
            return end, mark
        self.out.append(self.text[at])
        pairs: list[tuple[bytes, int, int]] = []
        count = 0
        at += 1
        while at < len(self.text):
            char = self.text[at]
            if char == (0x5D if is_array else 0x7D):
                return at + 1, self._close(char, pairs, count, tabs, mark)
            if char > 0x20 and (is_array or char == 0x22):
                mark = self._separate(count, is_array)
                start = len(self.out)
                self._indent(tabs + 1)
                if is_array:
                    at, mark = self.value(at, tabs + 1, mark)
                else:
                    key_at, at = at, self._scalar(at)
                    key = self.text[key_at:at]
                    self.out += b": "
                    at, mark = self.value(at, tabs + 1, mark)
                    pairs.append((key, start, len(self.out)))
                count += 1
            else:
                self.work.spend(1)
                at += 1
        return at, mark

    def _separate(self, count: int, is_array: bool) -> int:
        if count:
            self.out += b", " if is_array and self.layout.width != -1 else b","
        return self._break_line()

    def _break_line(self) -> int:
        mark = len(self.out)
        if self.out[-1] == 0x20:
            self.out[-1] = 0x0A
        else:
            self.out.append(0x0A)
        return mark

    def _indent(self, tabs: int) -> None:
        self.out += self.layout.prefix + self.layout.indent * tabs

    def _close(
        self, char: int, pairs: list[tuple[bytes, int, int]], count: int, tabs: int, mark: int
    ) -> int:
        if self.layout.sort_keys and pairs:
            self._sort(pairs)
        if count:
            mark = self._break_line()
            self._indent(tabs)
        self.out.append(char)
        return mark

    def _sort(self, pairs: list[tuple[bytes, int, int]]) -> None:
        members = [(key, bytes(self.out[start:end])) for key, start, end in pairs]
        members.sort(key=_order)
        self.out[pairs[0][1] :] = b",\n".join(member for _, member in members)

    def _fitting(self, at: int, mark: int) -> int:
        """Write the array on this line; 0, with nothing written, when it does not fit."""
        start = len(self.out)
        room = self.layout.width - (start - mark)
        if self.layout.width > 0 and room > 3:
            end = self._line(at + 1, start + room)
            if end:
                return end
            del self.out[start:]
        return 0

    def _line(self, at: int, limit: int) -> int:
        """Write an array from behind its bracket; 0 when it goes past the limit or has objects."""
        self.out += b"["
        counts = [0]
        while at < len(self.text) and counts and len(self.out) <= limit:
            self.work.spend(1)
            char = self.text[at]
            if char <= 0x20:
                at += 1
            elif char == 0x5D:
                self.out.append(char)
                counts.pop()
                at += 1
            else:
                self.out += b", " if counts[-1] else b""
                counts[-1] += 1
                found = VALUE.search(self.text, at)
                at = found.start() if found else len(self.text)
                first = self.text[at : at + 1]
                if first == b"{":
                    return 0
                if first == b"[":
                    self.out += first
                    counts.append(0)
                    at += 1
                elif first:
                    at = self._scalar(at)
        return at if len(self.out) <= limit else 0


def _order(member: tuple[bytes, bytes]) -> tuple[object, ...]:
    """Members go by key, and where keys are equal by value: by kind, then by what it says."""
    key, written = member
    value = written.strip()
    if len(value) >= len(key) + 1:
        value = value[len(key) + 1 :].strip()
    rank = _RANKS.get(value[:1], _NUMBER_RANK)
    number = parse_float(value) if rank == _NUMBER_RANK else 0.0
    text = b"" if rank == _NUMBER_RANK else _characters(value) if rank == _RANKS[b'"'] else value
    return _characters(key), rank, number, text


def _characters(raw: bytes) -> bytes:
    if b"\\" not in raw:
        return raw[1:-1]
    return unescape(raw[1:-1]) if is_valid(raw) else b""
