"""What holds for every path and every document."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from predictors.graph.gjson import Document, PathError, compile_path, walk
from predictors.graph.gjson.validity import is_valid
from predictors.graph.gjson.wildcard import matches
from predictors.graph.gjson.work import TooMuchWorkError, Work
from rouse.api.inferencegraph.gjson import explain_path

NAMES = ["a", "b", "ab", "a.b", "", "0", "#", "@this", "é", "a*", "x y"]
TEXTS = st.sampled_from([*NAMES, "[1,2]", '{"a":1}', "true", "0", "T", '"', "\\", "\n"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 50), st.sampled_from([0.5, 1e30, -0.0]), TEXTS
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=25,
)
OPERATORS = st.sampled_from(["", "==", "=", "!=", "<", "<=", ">", ">=", "%", "!%"])
WANTED = st.sampled_from(
    ['"a"', "a", "1", "0", "true", "false", "null", "~true", "~false", "~null", "~*", "~x", '"*b"']
)
COMPONENTS = st.sampled_from(
    [
        *("a", "b", "ab", r"a\.b", "0", "1", "#", "a*", "*", "?", "@this", "@keys", "@values", "é"),
        *("@reverse", "@flatten", "@tostr", "@fromstr", "@valid", "@dig:a", "!true", '!"a"', "x y"),
    ]
)


def refused(path: str) -> PathError | None:
    try:
        compile_path(path)
    except PathError as error:
        return error
    return None


def joined(parts: list[str], separators: list[str]) -> str:
    return "".join(part + separator for part, separator in zip(parts, separators, strict=False))


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    query = st.builds(
        "#({}{}{}){}".format,
        st.one_of(st.just(""), inner),
        OPERATORS,
        WANTED,
        st.sampled_from("# "),
    ).map(str.strip)
    path = st.builds(
        lambda parts, separators: joined(parts, [*separators[: len(parts) - 1], ""]),
        st.lists(st.one_of(inner, query), min_size=1, max_size=4),
        st.lists(st.sampled_from(["."] * 3 + ["|"]), min_size=4, max_size=4),
    )
    chosen = st.lists(inner, min_size=1, max_size=3).map(",".join)
    return st.one_of(path, path, chosen.map("[{}]".format), chosen.map("{{{}}}".format))


PATHS = st.recursive(COMPONENTS, larger, max_leaves=8)
ANY_PATH = st.one_of(PATHS, st.text('ab01.|#()[]{}"\\@!:,*?~=<>% é', max_size=20), st.text())


@given(VALUES, PATHS)
@settings(max_examples=500)
def test_looking_up_and_searching_the_text_agree(value: Any, path: str) -> None:
    document = Document(json.dumps(value).encode())
    compiled = compile_path(path)
    assert compiled.exists_in(document) is (compiled.get_in(document) is not None)


@given(VALUES, PATHS, st.sampled_from([None, 0, 3]), st.booleans())
def test_spelling_does_not_matter_to_existence(
    value: Any, path: str, indent: int | None, ascii_only: bool
) -> None:
    plain = json.dumps(value).encode()
    spelled = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert compile_path(path).exists(plain) is compile_path(path).exists(spelled)


@given(st.one_of(st.binary(), st.text().map(str.encode)), ANY_PATH)
def test_no_text_and_no_path_breaks_the_search(text: bytes, path: str) -> None:
    work = Work(50_000)
    try:
        found = walk.get(text, path.encode("utf-8", "replace"), work)
    except TooMuchWorkError:
        return
    assert found.exists or not found.raw


@given(ANY_PATH)
@settings(max_examples=500)
def test_the_platform_refuses_on_apply_what_the_router_refuses(path: str) -> None:
    refusal = refused(path)
    assert (explain_path(path) is not None) is (refusal is not None)
    assert refusal is None or 0 <= refusal.place <= len(path)


@given(VALUES, st.lists(st.integers(0, 9), max_size=5))
def test_the_way_to_a_value_finds_it(value: Any, choices: list[int]) -> None:
    parts = []
    wanted = value
    for choice in choices:
        if isinstance(wanted, dict) and wanted:
            name = sorted(wanted)[choice % len(wanted)]
            parts.append(re.sub(r"([^\w])", r"\\\1", name))
            wanted = wanted[name]
        elif isinstance(wanted, list) and wanted:
            parts.append(str(choice % len(wanted)))
            wanted = wanted[choice % len(wanted)]
    if not parts or "" in parts:
        return
    result = compile_path(".".join(parts)).get(json.dumps(value).encode())
    assert result is not None
    assert json.loads(result.raw) == wanted


@given(st.lists(st.integers(-5, 60)), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
def test_queries_choose_the_numbers_that_compare(numbers: list[int], operator: str) -> None:
    found = compile_path(f"#({operator}20)#").get(json.dumps(numbers).encode())
    wanted = [n for n in numbers if eval(f"{n} {operator} 20")]
    assert found is not None
    assert json.loads(found.raw) == wanted


@given(VALUES)
def test_modifiers_that_undo_each_other(value: Any) -> None:
    body = json.dumps(value).encode()
    for path in ("@this", "@tostr|@fromstr", "@ugly", "@pretty", "@reverse|@reverse", "@valid"):
        found = compile_path(path).get(body)
        assert found is not None
        assert json.loads(found.raw) == value


@given(st.text("ab*?", max_size=12), st.text("abé", max_size=12))
@settings(max_examples=500)
def test_wildcards_match_as_their_definition_says(pattern: str, text: str) -> None:
    # fits[i]: the pattern so far matches the first i characters.
    fits = [True] + [False] * len(text)
    for mark in pattern:
        if mark == "*":
            fits = [any(fits[: i + 1]) for i in range(len(text) + 1)]
        else:
            fits = [False] + [
                before and mark in ("?", character)
                for before, character in zip(fits, text, strict=False)
            ]
    assert matches(text.encode(), pattern.encode(), Work(10_000)) is fits[-1]


@given(st.one_of(VALUES.map(json.dumps), st.text('{}[]",:01-.e tfn\\ul', max_size=15)))
@settings(max_examples=500)
def test_json_is_what_a_strict_parser_takes(text: str) -> None:
    try:
        json.loads(text, parse_constant=lambda name: 1 // 0)
    except (ValueError, ZeroDivisionError):
        strict = False
    else:
        strict = True
    assert is_valid(text.encode()) is strict
