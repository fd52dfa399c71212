"""Go (RE2) patterns and OpenAPI formats as Python checks."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import uuid
from collections.abc import Callable
from datetime import datetime

__all__ = ["FORMATS", "compile_pattern"]

_POSIX_CLASSES = {
    "[:alnum:]": "0-9A-Za-z",
    "[:alpha:]": "A-Za-z",
    "[:digit:]": "0-9",
    "[:lower:]": "a-z",
    "[:space:]": r"\s",
    "[:upper:]": "A-Z",
    "[:word:]": r"\w",
    "[:xdigit:]": "0-9A-Fa-f",
}
_TOKEN = re.compile(r"\\.|\[:\w+:\]|.", re.DOTALL)
_DURATION = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d|w)")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_HOSTNAME = re.compile(r"(?=.{1,253}\Z)([A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?\.?)+")
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:\S+|/\S*)")


def compile_pattern(pattern: str) -> Callable[[str], bool] | None:
    """A check that the pattern is found in a text, with Go's meaning of ``$``, ``\\z`` and POSIX
    classes; None when the pattern is none that Python understands (it is then not checked)."""
    out: list[str] = []
    in_class = False
    for token in _TOKEN.findall(pattern):
        if token in _POSIX_CLASSES and in_class:
            out.append(_POSIX_CLASSES[token])
        elif token == r"\z" or (token == "$" and not in_class):  # noqa: S105
            out.append(r"\Z")
        else:
            in_class = token == "[" or (in_class and token != "]")  # noqa: S105
            out.append(token)
    try:
        search = re.compile("".join(out), re.ASCII).search
    except re.error:
        return None
    return lambda text: search(text) is not None


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, binascii.Error):
            return False
        return True

    return check


def _date_time(text: str) -> None:
    if "T" not in text.upper() or datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(text)


def _fully(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


FORMATS: dict[str, Callable[[str], bool]] = {
    "byte": _parses(lambda text: base64.b64decode(text, validate=True)),
    "cidr": _parses(lambda text: ipaddress.ip_network(text, strict=False)),
    "date": _parses(lambda text: datetime.strptime(text, "%Y-%m-%d")),
    "date-time": _parses(_date_time),
    "duration": lambda text: (bool(text) and _DURATION.sub("", text) == "") or text == "0",
    "email": _fully(_EMAIL),
    "hostname": _fully(_HOSTNAME),
    "ipv4": _parses(ipaddress.IPv4Address),
    "ipv6": _parses(ipaddress.IPv6Address),
    "uri": _fully(_URI),
    "uuid": _parses(uuid.UUID),
}
"""Checks by name; a format that is not here (``int32``, ``password``) says nothing about a text."""
