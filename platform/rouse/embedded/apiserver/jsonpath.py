"""The part of Kubernetes' JSONPath that printer columns use, compiled once.

``.a.b``, ``.a\\.b``, ``['a']``, ``[0]``, ``[-1]``, ``[*]``, ``.*``, ``..name`` and filters such as
``[?(@.type=='Ready')]`` or ``[?(@.size>3)]``; with or without the surrounding braces.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from rouse.errors import InvalidError

__all__ = ["JSONPath", "JSONPathError", "compile_path"]

_Step = Callable[[Any], Iterable[Any]]

_TOKEN = re.compile(
    r"""
      (?P<deep>\.\.)
    | \.?(?P<any>\*)
    | \.(?P<field>(?:\\.|[^.\[\]\\'"*?(){}\s])+)
    | (?P<bare>(?:\\.|[^.\[\]\\'"*?(){}\s@$])+)
    | \[(?P<all>\*)\]
    | \[(?P<index>-?\d+)\]
    | \[(?P<slice>-?\d*:-?\d*(?::-?\d+)?)\]
    | \[(?P<quote>['"])(?P<name>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\]
    | \[\?\((?P<filter>(?:'(?:\\.|[^'])*'|"(?:\\.|[^"])*"|[^'"])*?)\)\]
    """,
    re.VERBOSE,
)
_COMPARISON = re.compile(
    r"""(?P<left>'(?:\\.|[^'])*'|"(?:\\.|[^"])*"|.+?)\s*(?P<op>==|!=|<=|>=|<|>)\s*(?P<right>.+)"""
)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class JSONPathError(InvalidError):
    """A path that cannot be understood; the message shows the path and the place."""


class JSONPath:
    """A compiled path."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps = _compile(text)

    def find(self, value: Any) -> list[Any]:
        """Every value the path leads to, in document order; a missing field leads nowhere."""
        found: list[Any] = [value]
        for step in self._steps:
            found = [below for each in found for below in step(each)]
            if not found:
                break
        return found

    def first(self, value: Any) -> Any:
        """The first value the path leads to, None when there is none."""
        found = self.find(value)
        return found[0] if found else None


@cache
def compile_path(text: str) -> JSONPath:
    """The compiled path; the same text is compiled once."""
    return JSONPath(text)


def _compile(text: str) -> list[_Step]:
    body = text.strip()
    if body.startswith("{") and body.endswith("}"):
        body = body[1:-1].strip()
    body = body.removeprefix("$").removeprefix("@")
    if body == ".":
        return []
    steps: list[_Step] = []
    at = 0
    while at < len(body):
        match = _TOKEN.match(body, at)
        # A name without its dot can only begin the path or follow the two dots of a descent.
        bare_here = at == 0 or body.startswith("..", at - 2)
        if match is None or (match["bare"] is not None and not bare_here):
            raise JSONPathError(f"JSONPath {text!r}: cannot understand {body[at:]!r}")
        steps.append(_step(match, text))
        at = match.end()
    return steps


def _step(match: re.Match[str], text: str) -> _Step:
    if match["deep"] is not None:
        return _descend
    if match["any"] is not None or match["all"] is not None:
        return _children
    if match["index"] is not None:
        return _at(int(match["index"]))
    if match["slice"] is not None:
        bounds = [int(part) if part else None for part in match["slice"].split(":")]
        part = slice(*bounds)
        return lambda value: value[part] if isinstance(value, list) else ()
    if match["filter"] is not None:
        return _filter(match["filter"].strip(), text)
    name = next(match[group] for group in ("field", "bare", "name") if match[group] is not None)
    return _field(re.sub(r"\\(.)", r"\1", name))


def _field(name: str) -> _Step:
    def step(value: Any) -> Iterable[Any]:
        return (value[name],) if isinstance(value, dict) and name in value else ()

    return step


def _at(index: int) -> _Step:
    def step(value: Any) -> Iterable[Any]:
        inside = isinstance(value, list) and -len(value) <= index < len(value)
        return (value[index],) if inside else ()

    return step


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _descend(value: Any) -> Iterator[Any]:
    yield value
    for child in _children(value):
        yield from _descend(child)


def _filter(condition: str, text: str) -> _Step:
    comparison = _COMPARISON.fullmatch(condition)
    if comparison is None:
        exists = JSONPath(_relative(condition, text))
        return lambda value: [each for each in _children(value) if exists.find(each)]
    left, right = _operand(comparison["left"], text), _operand(comparison["right"], text)
    compare = _OPERATORS[comparison["op"]]

    def holds(each: Any) -> bool:
        a, b = left(each), right(each)
        if a is None or b is None or isinstance(a, str) != isinstance(b, str):
            return False
        return compare(a, b)

    return lambda value: [each for each in _children(value) if holds(each)]


def _relative(path: str, text: str) -> str:
    if not path.startswith("@"):
        raise JSONPathError(f"JSONPath {text!r}: a filter looks at '@', not at {path!r}")
    return path


def _operand(word: str, text: str) -> Callable[[Any], Any]:
    word = word.strip()
    if word[:1] in ("'", '"') and word[-1:] == word[:1] and len(word) > 1:
        literal: Any = re.sub(r"\\(.)", r"\1", word[1:-1])
    elif word in ("true", "false"):
        literal = word == "true"
    elif re.fullmatch(r"-?\d+(\.\d+)?", word):
        literal = float(word)
    else:
        return JSONPath(_relative(word, text)).first
    return lambda _: literal
