"""A check of gjson paths, so that a typo is found on apply and not by a lost request.

gjson itself refuses no path and gives a meaning to every text. What is refused here can only be a
mistake, or is too big for the router; it is exactly what the router's own reader refuses.
"""

from __future__ import annotations

import re

__all__ = ["explain_path"]

_LONGEST = 4096
_MOST_SEPARATORS = 128
_DEEPEST = 24
_MOST_DIGS = 8
_MODIFIERS = "dig flatten fromstr group join keys pretty reverse this tostr ugly valid values"
_LITERALS = frozenset(["true", "false", "null", "nan", "inf"])
_NAME = re.compile(r"(?:[^\\.|]|\\.)*+", re.DOTALL)
_WORD = re.compile(r"[^.|:]*+")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|.', re.DOTALL)
_ESCAPING_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|\\.?|.', re.DOTALL)


def explain_path(path: str) -> str | None:
    """Say what is wrong with a gjson path; None when the router can evaluate it."""
    if not path.strip():
        return 'is empty; write a gjson path such as instances.#(age>30) or "[@this].#(kind==a)"'
    problem = _explain_size(path) or _explain_components(path)
    return f'"{path}" {problem}' if problem else None


def _explain_size(path: str) -> str | None:
    if len(path.encode("utf-8", "replace")) > _LONGEST:
        return f"is longer than {_LONGEST} bytes"
    if path.count(".") + path.count("|") > _MOST_SEPARATORS:
        return f"has more than {_MOST_SEPARATORS} separators"
    if path.count("@dig") > _MOST_DIGS:
        return f"digs more than {_MOST_DIGS} times"
    depth = 0
    for char in path:
        depth += (char in "([{") - (char in ")]}" and depth > 0)
        if depth > _DEEPEST:
            return f"has more than {_DEEPEST} brackets within each other"
    return None


def _explain_components(path: str) -> str | None:
    at = 0
    while at < len(path):
        # Two dots in front, or behind a pipe, mean JSON lines.
        if path.startswith("..", at) and path[:at][-1:] in ("", "|") and path[at + 2 :]:
            at += 2
        if path[at] in ".|":
            return f"has a separator at character {at + 1} without a name before it"
        end = _component_end(path, at)
        if isinstance(end, str):
            return end
        at = end
        if at == len(path):
            return None
        at += 1
    return "ends with a separator; a name is missing behind it"


def _component_end(path: str, at: int) -> int | str:
    """Where the component at `at` ends, or what is wrong with it."""
    first = path[at]
    if first in "[{":
        end = _closed(path, at, "[({", "])}")
        return _before_separator(path, end, "a multipath") if end else _never_closed(path, at)
    if first == "!" and (end := _literal_end(path, at)):
        return _before_separator(path, end, "a literal")
    if first == "@" and (end := _modifier_end(path, at)):
        return _before_separator(path, end, "an argument")
    start = at
    if path.startswith(("#(", "#["), at):
        start = _closed(path, at + 1, "[(", "])")
        if not start:
            return _never_closed(path, at + 1)
    name = _NAME.match(path, start)
    end = name.end() if name else len(path)
    if path[end:] == "\\":
        return "ends with a lone backslash; escape one character or remove it"
    return end


def _never_closed(path: str, at: int) -> str:
    return f'has a "{path[at]}" at character {at + 1} that is never closed'


def _before_separator(path: str, end: int, what: str) -> int | str:
    if path[end : end + 1] in ("", ".", "|"):
        return end
    return f"has something behind {what}, at character {end + 1}, that is no separator"


def _closed(path: str, at: int, opening: str, closing: str, *, escapes: bool = True) -> int:
    """Past the bracket that closes the one at `at`, of whatever form; 0 when none does."""
    depth = 0
    for token in (_ESCAPING_TOKEN if escapes else _TOKEN).finditer(path, at):
        mark = token.group()
        if mark in opening:
            depth += 1
        elif mark in closing:
            depth -= 1
            if not depth:
                return token.end()
    return 0


def _squashed(path: str, at: int) -> int:
    """Where the JSON value at `at` ends: at the end of the path when it is never closed."""
    if path[at] == '"':
        quoted = _TOKEN.match(path, at)
        return quoted.end() if quoted else len(path)
    return _closed(path, at, "[({", "])}", escapes=False) or len(path)


def _literal_end(path: str, at: int) -> int:
    """Past the literal whose "!" is at `at`; 0 when gjson has none of the kind."""
    if path[at + 1 : at + 2] and path[at + 1] in '{["+-0123456789':
        # gjson takes the first character of any literal for a bracket.
        return _squashed(path[: at + 1] + "(" + path[at + 2 :], at + 1)
    word = re.split(r"[.|]", path[at + 1 :], maxsplit=1)[0]
    return at + 1 + len(word) if word.lower() in _LITERALS else 0


def _modifier_end(path: str, at: int) -> int:
    """Past the modifier at `at` and its argument; 0 when gjson has none of the name."""
    word = _WORD.match(path, at + 1)
    end = word.end() if word else len(path)
    if path[at + 1 : end] not in _MODIFIERS.split():
        return 0
    if path[end : end + 1] != ":":
        return end
    end += 1
    if path[end : end + 1] and path[end] in '{["':
        return _squashed(path, end)
    while end < len(path) and path[end] != "|":
        end = _squashed(path, end) if path[end] in '{["(' else end + 1
    return end
