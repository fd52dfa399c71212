"""Documents and paths made to hang or to overflow: the work is bounded, nothing is raised."""

from __future__ import annotations

import json

import pytest

from predictors.graph.gjson import Document, compile_path, walk
from predictors.graph.gjson.wildcard import matches
from predictors.graph.gjson.work import TooMuchWorkError, Work

DEEP = {
    "arrays": b"[" * 20_000 + b"1" + b"]" * 20_000,
    "objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "parsed": b"[" * 900 + b"1" + b"]" * 900,
}
PATHS = [
    "0.0.0",
    "a.a.a",
    "*.*.*",
    "#.#.#",
    "#(#(#(a)))",
    "@dig:zz",
    "@dig:@dig:@dig:zz",
    "@dig:#(zz)#.a",
    "[@dig:a,@dig:b,{@dig:c}]",
    '@flatten:{"deep":true}',
    "@reverse.@reverse|0",
    '@pretty:{"sortKeys":true,"width":100000}',
    "@ugly|@tostr|@fromstr|@valid",
    "@join|@keys|@values|@group",
    "|".join(["@this"] * 128),
    "#(0." * 23 + "0" + ")" * 23,
    ".".join(["0"] * 128),
    "[" * 24 + "0" + "]" * 24,
    "@dig:" * 8 + ".".join(["0"] * 100),
]


def steps(document: bytes, path: str) -> int:
    """How many steps the text of a document takes, up to the bound of Path.get."""
    limit = 100_000 + 4 * len(document)
    work = Work(limit)
    try:
        walk.get(document, path.encode(), work)
    except TooMuchWorkError:
        return limit
    return limit - work.left


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("path", PATHS)
def test_depth_ends_in_an_answer(name: str, path: str) -> None:
    document = Document(DEEP[name])
    compiled = compile_path(path)
    assert document.is_valid
    assert compiled.exists_in(document) in (True, False)
    compiled.get_in(document)


@pytest.mark.parametrize("path", ["a", "b.c", "a.5", "a.#", "a.#.x", "a.#(>5)#", "@dig:zz", "*b"])
def test_work_grows_with_the_length_alone(path: str) -> None:
    small, large = (json.dumps({"a": list(range(n)), "b": 1}).encode() for n in (1000, 10_000))
    assert steps(large, path) < 15 * steps(small, path) + 100
    assert steps(large, path) < 2 * len(large)


@pytest.mark.parametrize("path", ["a.b", "a.#(b>1).c", "[@this].#(a==b)"])
def test_plain_paths_take_a_few_steps_in_a_small_body(path: str) -> None:
    body = json.dumps({"a": [{"b": 1, "c": [1, 2, 3]}] * 3, "z": "x" * 1000}).encode()
    assert steps(body, path) < 150


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*a" * 200 + "b", False),
        ("a*" * 200 + "a", True),
        ("*?" * 200 + "*", True),
        ("*a?" * 30 + "b", False),
        ("?" * 500 + "*" * 500, True),
        ("*" + "a?" * 300 + "*b*", False),
        ("*" * 4000, True),
    ],
)
def test_stars_take_no_more_than_text_by_pattern(pattern: str, fits: bool) -> None:
    text = b"a" * 20_000
    work = Work(len(text) * len(pattern) // 8 + len(text) + 1000)
    assert matches(text, pattern.encode(), work) is fits


def test_stars_over_many_keys_are_quick() -> None:
    body = json.dumps({"a" * 50 + str(n): 1 for n in range(5000)}).encode()
    assert not compile_path("*a*a*a*a*a*a*b").exists(body)
    assert steps(body, "*a*?*a*?*b") < 100_000 + 4 * len(body)


def test_what_takes_too_much_is_not_found() -> None:
    body = b"[" * 20_000 + b"]" * 20_000
    assert steps(body, "@dig:@dig:a") == 100_000 + 4 * len(body)
    assert not compile_path("@dig:@dig:a").exists(body)
    assert compile_path("@dig:@dig:a").get(body) is None


def test_backslashes_and_quotes_are_read_once() -> None:
    body = b'{"' + b'\\"' * 100_000 + b'":1,"b":"' + b"\\\\" * 100_000 + b'"}'
    for path in ("b", "*b", "z", "@ugly|b", "@tostr", "@pretty|b", r"\"*"):
        compile_path(path).get(body)
        assert steps(body, path) < len(body)
    opened = json.dumps('"' * 50_000 + "[" * 50_000).encode()
    assert steps(opened, "@fromstr|0") < 2 * len(opened)
