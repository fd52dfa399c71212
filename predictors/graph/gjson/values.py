"""What a path finds: a piece of JSON text with its kind, as gjson's Result."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import IntEnum
from math import inf, isinf, isnan, nan
from typing import NamedTuple

__all__ = ["MISSING", "Kind", "Result", "parse_bool", "parse_float"]


class Kind(IntEnum):
    """The kinds of JSON values, with gjson's numbers."""

    NULL = 0
    FALSE = 1
    NUMBER = 2
    STRING = 3
    TRUE = 4
    JSON = 5
    """An object or an array."""


class Result(NamedTuple):
    """A value of a document: its text as it stands there, and what the text means.

    A null that is there has the kind NULL and the raw text `null`; what is missing is MISSING.
    """

    kind: Kind
    raw: bytes
    text: bytes = b""
    """The characters of a string, unescaped; empty for every other kind."""
    number: float = 0.0

    @property
    def exists(self) -> bool:
        """Whether something was found; a null counts."""
        return self.kind is not Kind.NULL or bool(self.raw)

    @property
    def is_object(self) -> bool:
        """Whether this is a JSON object."""
        return self.kind is Kind.JSON and self.raw[:1] == b"{"

    @property
    def is_array(self) -> bool:
        """Whether this is a JSON array."""
        return self.kind is Kind.JSON and self.raw[:1] == b"["

    def as_text(self) -> bytes:
        """The value as gjson prints it: strings bare, numbers without exponent, null as nothing."""
        match self.kind:
            case Kind.NULL:
                return b""
            case Kind.STRING:
                return self.text
            case Kind.NUMBER if not _INTEGER.fullmatch(self.raw):
                return _plain(self.number)
            case _:
                return _WORDS.get(self.kind, self.raw)

    def as_bool(self) -> bool:
        """The value as gjson's Bool: numbers but 0 and strings such as "1" and "true" are true."""
        if self.kind is Kind.STRING:
            return parse_bool(self.text) is True
        if self.kind is Kind.NUMBER:
            return self.number != 0
        return self.kind is Kind.TRUE


MISSING = Result(Kind.NULL, b"")

_WORDS = {Kind.TRUE: b"true", Kind.FALSE: b"false"}
_INTEGER = re.compile(rb"-?[0-9]*")
_DECIMAL = re.compile(rb"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_HEXADECIMAL = re.compile(
    rb"[+-]?0[xX](?:[0-9a-fA-F]++(?:\.[0-9a-fA-F]*+)?|\.[0-9a-fA-F]++)[pP][+-]?[0-9]++"
)
_SPECIAL = re.compile(rb"([+-]?)inf(?:inity)?|nan", re.IGNORECASE)
_TRUTHS = {b"1": True, b"t": True, b"true": True, b"0": False, b"f": False, b"false": False}


def parse_float(raw: bytes) -> float:
    """A number as Go's strconv.ParseFloat reads it; what is no number is 0."""
    if _DECIMAL.fullmatch(raw):
        return float(raw)
    if special := _SPECIAL.fullmatch(raw):
        sign = special.group(1)
        return nan if sign is None else -inf if sign == b"-" else inf
    if _HEXADECIMAL.fullmatch(raw):
        try:
            return float.fromhex(raw.decode("ascii"))
        except OverflowError:
            return -inf if raw[:1] == b"-" else inf
    return 0.0


def parse_bool(text: bytes) -> bool | None:
    """A truth as Go's strconv.ParseBool reads it in any case; None when it is none."""
    return _TRUTHS.get(text.lower())


def _plain(number: float) -> bytes:
    if isnan(number):
        return b"NaN"
    if isinf(number):
        return b"+Inf" if number > 0 else b"-Inf"
    shown = format(Decimal(repr(number)), "f")
    return (shown.removesuffix(".0") if shown.endswith(".0") else shown).encode("ascii")
