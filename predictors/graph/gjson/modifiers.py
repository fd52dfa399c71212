"""The modifiers: each makes a new text of a text, as gjson's functions of the same names do."""

from __future__ import annotations

import re
from collections.abc import Callable

from predictors.graph.gjson.parts import Modifier
from predictors.graph.gjson.pretty import Layout, pretty
from predictors.graph.gjson.scan import members, parse_text
from predictors.graph.gjson.selections import quoted
from predictors.graph.gjson.validity import is_valid
from predictors.graph.gjson.values import Kind, Result
from predictors.graph.gjson.work import Work

__all__ = ["Get", "apply"]

Get = Callable[[bytes, bytes, Work], Result]
"""Finds what a path means in a text."""

_Change = Callable[[bytes, bytes, Work], bytes]
_COST_OF_CALL = 8
_BLANK = bytes(range(0x21))
_OUTSIDE_STRINGS = re.compile(rb'("[^"\\]*+(?:\\.[^"\\]*+)*+"?\\?)|[\x00-\x20]++', re.DOTALL)


def apply(modifier: Modifier, text: bytes, get: Get, work: Work) -> bytes:
    """What the modifier makes of a text; empty when it makes nothing of it."""
    work.spend(_COST_OF_CALL + (len(text) >> 6))
    if modifier.name == b"dig":
        return _dig(text, modifier.argument, get, work)
    return _CHANGES[modifier.name](text, modifier.argument, work)


def _options(argument: bytes, work: Work) -> dict[bytes, Result]:
    given = parse_text(argument, work)
    return {key.text: value for key, value in members(given, work) if key.kind is Kind.STRING}


def _flag(argument: bytes, name: bytes, work: Work) -> bool:
    value = _options(argument, work).get(name)
    return value is not None and value.as_bool()


def _this(text: bytes, _argument: bytes, _work: Work) -> bytes:
    return text


def _valid(text: bytes, _argument: bytes, _work: Work) -> bytes:
    return text if is_valid(text) else b""


def _to_string(text: bytes, _argument: bytes, _work: Work) -> bytes:
    return quoted(text)


def _from_string(text: bytes, _argument: bytes, work: Work) -> bytes:
    return parse_text(text, work).as_text() if is_valid(text) else b""


def _ugly(text: bytes, _argument: bytes, _work: Work) -> bytes:
    return _OUTSIDE_STRINGS.sub(rb"\1", text)


def _pretty(text: bytes, argument: bytes, work: Work) -> bytes:
    layout = Layout()
    for name, value in _options(argument, work).items():
        match name:
            case b"sortKeys":
                layout = layout._replace(sort_keys=value.as_bool())
            case b"indent":
                layout = layout._replace(indent=_whitespace(value))
            case b"prefix":
                layout = layout._replace(prefix=_whitespace(value))
            case b"width":
                layout = layout._replace(width=_integer(value))
    return pretty(text, layout, work)


def _whitespace(value: Result) -> bytes:
    return re.sub(rb"[^ \t\r\n]", b"", value.as_text())


def _integer(value: Result) -> int:
    if value.kind is Kind.NUMBER and abs(value.number) < 1 << 53:
        return int(value.number)
    digits = value.text if value.kind is Kind.STRING else value.raw
    if re.fullmatch(rb"-?[0-9]{1,18}", digits):
        return int(digits)
    return int(value.kind is Kind.TRUE)


def _reverse(text: bytes, _argument: bytes, work: Work) -> bytes:
    value = parse_text(text, work)
    if value.is_array:
        raws = [member.raw for _, member in members(value, work)]
        return b"[%b]" % b",".join(reversed(raws))
    if value.is_object:
        pairs = [key.raw + b":" + member.raw for key, member in members(value, work)]
        return b"{%b}" % b",".join(reversed(pairs))
    return text


def _flatten(text: bytes, argument: bytes, work: Work) -> bytes:
    value = parse_text(text, work)
    if not value.is_array:
        return text
    deep = _flag(argument, b"deep", work)
    raws: list[bytes] = []
    # Iterators that wait while an inner array is gone through: no recursion, any depth.
    waiting = [members(value, work)]
    while waiting:
        for _, member in waiting[-1]:
            if member.is_array and deep:
                waiting.append(members(member, work))
                break
            raws.append((_unwrap(member.raw) if member.is_array else member.raw).strip(_SPACES))
        else:
            waiting.pop()
    return b"[%b]" % b",".join(filter(None, raws))


_SPACES = b"\t\n\v\f\r "


def _unwrap(raw: bytes) -> bytes:
    raw = raw.strip(_BLANK)
    return raw[1:-1] if len(raw) >= 2 and raw[:1] in (b"[", b"{") else raw


def _keys(text: bytes, _argument: bytes, work: Work) -> bytes:
    value = parse_text(text, work)
    names = [key.raw or b"null" for key, _ in members(value, work)]
    return b"[%b]" % b",".join(names)


def _values(text: bytes, _argument: bytes, work: Work) -> bytes:
    value = parse_text(text, work)
    if value.is_array:
        return text
    return b"[%b]" % b",".join(member.raw for _, member in members(value, work))


def _join(text: bytes, argument: bytes, work: Work) -> bytes:
    value = parse_text(text, work)
    if not value.is_array:
        return text
    objects = [member for _, member in members(value, work) if member.is_object]
    if _flag(argument, b"preserve", work):
        return b"{%b}" % b",".join(_unwrap(member.raw) for member in objects)
    joined: dict[bytes, tuple[bytes, bytes]] = {}
    for member in objects:
        for key, inner in members(member, work):
            first, _ = joined.get(key.text, (key.raw, b""))
            joined[key.text] = (first, inner.raw)
    return b"{%b}" % b",".join(key + b":" + raw for key, raw in joined.values())


def _group(text: bytes, _argument: bytes, work: Work) -> bytes:
    value = parse_text(text, work)
    if not value.is_object:
        return b""
    groups: list[list[bytes]] = []
    for key, column in members(value, work):
        if not column.is_array:
            continue
        for index, (_, member) in enumerate(members(column, work)):
            if index == len(groups):
                groups.append([])
            groups[index].append(key.raw + b":" + member.raw)
    return b"[%b]" % b",".join(b"{%b}" % b",".join(pairs) for pairs in groups)


def _dig(text: bytes, path: bytes, get: Get, work: Work) -> bytes:
    """What a path finds in a value and in all that is within it, parents first."""
    raws: list[bytes] = []
    waiting = [iter([parse_text(text, work)])]
    while waiting:
        value = next(waiting[-1], None)
        if value is None:
            waiting.pop()
            continue
        found = get(value.raw, path, work)
        if found.exists:
            raws.append(found.raw)
        if value.kind is Kind.JSON:
            waiting.append(iter([member for _, member in members(value, work)]))
    return b"[%b]" % b",".join(raws)


_CHANGES: dict[bytes, _Change] = {
    b"flatten": _flatten,
    b"fromstr": _from_string,
    b"group": _group,
    b"join": _join,
    b"keys": _keys,
    b"pretty": _pretty,
    b"reverse": _reverse,
    b"this": _this,
    b"tostr": _to_string,
    b"ugly": _ugly,
    b"valid": _valid,
    b"values": _values,
}
