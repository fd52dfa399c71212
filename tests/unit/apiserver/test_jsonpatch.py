"""JSON patch by the examples of RFC 6902's appendix, merge patch by those of RFC 7386."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rouse.embedded.apiserver.jsonpatch import PatchError, json_patch, merge_patch

_APPENDIX: list[tuple[str, Any, list[dict[str, Any]], Any]] = [
    (
        "A.1 add an object member",
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux"}],
        {"baz": "qux", "foo": "bar"},
    ),
    (
        "A.2 add a list element",
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    (
        "A.3 remove an object member",
        {"baz": "qux", "foo": "bar"},
        [{"op": "remove", "path": "/baz"}],
        {"foo": "bar"},
    ),
    (
        "A.4 remove a list element",
        {"foo": ["bar", "qux", "baz"]},
        [{"op": "remove", "path": "/foo/1"}],
        {"foo": ["bar", "baz"]},
    ),
    (
        "A.5 replace a value",
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    (
        "A.6 move a value",
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        "A.7 move a list element",
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        "A.8 test a value",
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [
            {"op": "test", "path": "/baz", "value": "qux"},
            {"op": "test", "path": "/foo/1", "value": 2},
        ],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    (
        "A.10 add a nested member",
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    (
        "A.11 ignore unrecognised members",
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}],
        {"foo": "bar", "baz": "qux"},
    ),
    (
        "A.14 escapes",
        {"/": 9, "~1": 10},
        [{"op": "test", "path": "/~01", "value": 10}],
        {"/": 9, "~1": 10},
    ),
    (
        "A.16 add a list to a list",
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
    ("the whole document", {"a": 1}, [{"op": "replace", "path": "", "value": [1]}], [1]),
    (
        "a copy is its own",
        {"a": {"b": 1}},
        [
            {"op": "copy", "from": "/a", "path": "/c"},
            {"op": "replace", "path": "/c/b", "value": 2},
        ],
        {"a": {"b": 1}, "c": {"b": 2}},
    ),
    ("an empty key", {"": 1}, [{"op": "remove", "path": "/"}], {}),
    ("null is a value", {"a": 1}, [{"op": "add", "path": "/a", "value": None}], {"a": None}),
]


@pytest.mark.parametrize(
    ("doc", "ops", "wanted"),
    [case[1:] for case in _APPENDIX],
    ids=[case[0] for case in _APPENDIX],
)
def test_json_patch(doc: Any, ops: list[dict[str, Any]], wanted: Any) -> None:
    before = copy.deepcopy(doc)
    assert json_patch(doc, ops) == wanted
    assert doc == before


@pytest.mark.parametrize(
    ("doc", "ops", "says"),
    [
        ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}], "test failed"),
        ({"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": 1}], "/baz does not exist"),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": True}], "test failed"),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": "10"}], "test failed"),
        ({}, [{"op": "remove", "path": "/a"}], "/a does not exist"),
        ({}, [{"op": "replace", "path": "/a", "value": 1}], "/a does not exist"),
        ({"a": []}, [{"op": "add", "path": "/a/1", "value": 1}], "beyond the end"),
        ({"a": [1]}, [{"op": "remove", "path": "/a/-"}], "no index"),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/01"}], "no index"),
        ({"a": 1}, [{"op": "add", "path": "/a/b", "value": 1}], "neither an object nor a list"),
        ({"a": {}}, [{"op": "move", "from": "/a", "path": "/a/b"}], "into itself"),
        ({}, [{"op": "add", "path": "/a"}], "value is missing"),
        ({}, [{"op": "add", "value": 1}], "path is missing"),
        ({}, [{"op": "add", "path": "a", "value": 1}], "does not start with"),
        ({}, [{"op": "frobnicate", "path": "/a"}], "unknown op"),
        ({}, ["add"], "must be an object"),
        ({}, {"op": "add"}, "must be a list"),
    ],
)
def test_json_patch_refuses(doc: Any, ops: Any, says: str) -> None:
    before = copy.deepcopy(doc)
    with pytest.raises(PatchError, match=says):
        json_patch(doc, ops)
    assert doc == before


def test_the_failing_operation_is_named() -> None:
    ops = [{"op": "add", "path": "/a", "value": 1}, {"op": "remove", "path": "/b"}]
    with pytest.raises(PatchError) as caught:
        json_patch({}, ops)
    assert caught.value.message == "operation 1: /b does not exist"


@pytest.mark.parametrize(
    ("doc", "patch", "wanted"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(doc: Any, patch: Any, wanted: Any) -> None:
    before = copy.deepcopy(doc)
    assert merge_patch(doc, patch) == wanted
    assert doc == before


_scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~", max_size=3)
_json = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)
_without_nulls = st.recursive(
    st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)


def _merge_diff(old: Any, new: Any) -> Any:
    """The merge patch that leads from one document without nulls to another."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    out: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old or old[key] != value:
            out[key] = _merge_diff(old.get(key), value)
    return out


@settings(deadline=None)
@given(_without_nulls, _without_nulls)
def test_a_merge_patch_of_the_difference_leads_there(old: Any, new: Any) -> None:
    patch = _merge_diff(old, new)
    assert merge_patch(old, patch) == new
    assert merge_patch(new, patch) == new


@settings(deadline=None)
@given(_json, _json)
def test_merge_patch_is_idempotent(doc: Any, patch: Any) -> None:
    once = merge_patch(doc, patch)
    assert merge_patch(once, patch) == once


def _pointer(steps: list[Any]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[list[Any]]:
    below: list[list[Any]] = [list(at)]
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            below += _places(item, (*at, key))
    return below


@settings(deadline=None)
@given(_json, st.data())
def test_removing_and_adding_again_restores(doc: Any, data: st.DataObject) -> None:
    places = [steps for steps in _places(doc) if steps]
    if not places:
        return
    steps = data.draw(st.sampled_from(places))
    value = doc
    for step in steps:
        value = value[step]
    path = _pointer(steps)
    ops = [
        {"op": "test", "path": path, "value": value},
        {"op": "remove", "path": path},
        {"op": "add", "path": path, "value": value},
        {"op": "test", "path": path, "value": value},
    ]
    assert json_patch(doc, ops) == doc
