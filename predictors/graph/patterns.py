r"""Regular expressions as Go writes them, for Python.

Both mean the same by nearly everything. Only Go has ``[[:alpha:]]``, ``\z``, ``\Q...\E``,
``\x{41}``, ``(?<name>...)``, flags in the middle, which count until their group ends, and ``(?U)``,
which says what is taken of a match and so nothing here. Names of headers are ASCII, and so are the
classes.
"""

from __future__ import annotations

import re
import string
from typing import Final

__all__ = ["compile_pattern"]

_TOKEN: Final = re.compile(
    r"""\\Q(?P<quoted>.*?)(?:\\E|\Z)
    |   \\x\{(?P<code>[0-9a-fA-F]+)\}
    |   (?P<end>\\z)
    |   \\.
    |   \[(?P<set>\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*)\]
    |   \(\?(?P<flags>[imsU]+)\)
    |   (?P<open>\((?:\?(?:P?<\w+>|[imsU-]*:))?)
    |   (?P<close>\))
    |   (?P<bar>\|)
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_SET: Final = re.compile(r"\[:(\^?)(\w+):\]|\\.|[\[&~|]", re.DOTALL)
_ASCII: Final = "".join(map(chr, range(128)))
_CLASSES: Final = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "ascii": _ASCII,
    "blank": " \t",
    "cntrl": "".join(map(chr, (*range(32), 127))),
    "digit": string.digits,
    "graph": "".join(map(chr, range(33, 127))),
    "lower": string.ascii_lowercase,
    "print": "".join(map(chr, range(32, 127))),
    "punct": string.punctuation,
    "space": string.whitespace,
    "upper": string.ascii_uppercase,
    "word": string.ascii_letters + string.digits + "_",
    "xdigit": string.hexdigits,
}


def compile_pattern(text: str) -> re.Pattern[str]:
    """A pattern of Go's. Raises `re.error` for one that neither knows, or only Go."""
    reading = _Reading()
    translated = _TOKEN.sub(reading.token, text) + reading.rest
    return re.compile(translated, re.ASCII)


class _Reading:
    """Goes through a pattern. Flags of a group are open groups of Python's, closed with it."""

    def __init__(self) -> None:
        self._flags: list[list[str]] = [[]]

    @property
    def rest(self) -> str:
        """What closes what is open at the end."""
        return ")" * len(self._flags[0])

    def token(self, found: re.Match[str]) -> str:
        """What Python writes for a token."""
        kind = found.lastgroup
        text = found[kind] if kind is not None else found[0]
        if kind == "quoted":
            return re.escape(text)
        if kind == "code":
            return re.escape(_character(text))
        if kind == "end":
            return r"\Z"
        if kind == "set":
            return f"[{_IN_SET.sub(_in_set, text)}]"
        return self._grouping(kind, text)

    def _grouping(self, kind: str | None, text: str) -> str:
        flags = self._flags
        if kind == "flags":
            flags[-1].append(f"(?{text}:".replace("U", ""))
            return flags[-1][-1]
        if kind == "bar":
            return ")" * len(flags[-1]) + "|" + "".join(flags[-1])
        if kind == "open":
            flags.append([])
            named = text.replace("(?<", "(?P<")
            return named if named.startswith("(?P") else named.replace("U", "")
        if kind == "close" and len(flags) > 1:
            return ")" * (1 + len(flags.pop()))
        return text


def _in_set(found: re.Match[str]) -> str:
    negated, name = found.groups()
    if name is None:
        return found[0] if found[0].startswith("\\") else f"\\{found[0]}"
    if name not in _CLASSES:
        raise re.error(f"there is no class {found[0]}")
    chosen = [each for each in _ASCII if (each in _CLASSES[name]) != bool(negated)]
    return "".join(f"\\x{ord(each):02x}" for each in chosen)


def _character(code: str) -> str:
    try:
        return chr(int(code, 16))
    except (ValueError, OverflowError):
        raise re.error(f"there is no character {code}") from None
