"""JSONPath as printer columns use it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rouse.embedded.apiserver.jsonpath import JSONPath, JSONPathError, compile_path

_OBJ: dict[str, Any] = {
    "metadata": {"name": "iris", "labels": {"serving.knative.dev/service": "iris", "a'b": "q"}},
    "spec": {"hosts": ["a", "b", "c"], "ports": [{"port": 80}, {"port": 443, "tls": True}]},
    "status": {
        "url": "http://x",
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "RoutesReady", "status": "False", "reason": "a]b"},
        ],
        "traffic": [
            {"percent": 20, "latestRevision": True},
            {"percent": 80, "latestRevision": False, "tag": "prev"},
        ],
    },
}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (".metadata.name", ["iris"]),
        ("metadata.name", ["iris"]),
        ("{.metadata.name}", ["iris"]),
        ("$.metadata.name", ["iris"]),
        ("{$['metadata']['name']}", ["iris"]),
        (r".metadata.labels.serving\.knative\.dev/service", ["iris"]),
        (r".metadata.labels['serving\.knative\.dev/service']", ["iris"]),
        (".metadata.labels['serving.knative.dev/service']", ["iris"]),
        ('.metadata["labels"]["a\'b"]', ["q"]),
        (".spec.hosts", [["a", "b", "c"]]),
        (".spec.hosts[0]", ["a"]),
        (".spec.hosts[-1]", ["c"]),
        (".spec.hosts[7]", []),
        (".spec.hosts[-4]", []),
        (".spec.hosts[1:]", ["b", "c"]),
        (".spec.hosts[:-1]", ["a", "b"]),
        (".spec.hosts[*]", ["a", "b", "c"]),
        (".spec.ports[*].port", [80, 443]),
        (".spec.*[0]", ["a", {"port": 80}]),
        (".status.conditions[?(@.type=='Ready')].status", ["True"]),
        ('.status.conditions[?(@.type == "RoutesReady")].status', ["False"]),
        (".status.conditions[?(@.reason=='a]b')].type", ["RoutesReady"]),
        (".status.traffic[?(@.latestRevision==true)].percent", [20]),
        (".status.traffic[?(@.latestRevision!=true)].percent", [80]),
        (".status.traffic[?(@.tag)].percent", [80]),
        (".status.traffic[?(@.percent>=80)].tag", ["prev"]),
        (".status.traffic[?(@.percent<80)].percent", [20]),
        (".status.traffic[?(@.tag=='prev')].percent", [80]),
        (".status.missing.deeper", []),
        (".status.url.deeper", []),
        ("..port", [80, 443]),
        (".status..type", ["Ready", "RoutesReady"]),
        (".", [_OBJ]),
    ],
)
def test_find(path: str, wanted: list[Any]) -> None:
    assert compile_path(path).find(_OBJ) == wanted


def test_first_is_the_first_or_none() -> None:
    assert compile_path(".spec.hosts[*]").first(_OBJ) == "a"
    assert compile_path(".spec.nothing").first(_OBJ) is None


@pytest.mark.parametrize(
    "path", [".a[", ".a[?(@.b=='c']", ".a['b]", ".a[b]", ".a[?(.b==1)]", "{.a}{.b}", ".a b"]
)
def test_what_cannot_be_understood_is_an_error_that_shows_the_path(path: str) -> None:
    with pytest.raises(JSONPathError) as caught:
        compile_path(path)
    assert repr(path) in str(caught.value)


def test_one_compilation_per_text() -> None:
    assert compile_path(".metadata.name") is compile_path(".metadata.name")


_keys = st.text(st.characters(codec="utf-8", exclude_characters="'\\\n"), min_size=1, max_size=5)


@settings(deadline=None)
@given(st.lists(_keys, min_size=1, max_size=4), st.integers())
def test_quoted_steps_lead_anywhere(keys: list[str], value: int) -> None:
    doc: Any = value
    for key in reversed(keys):
        doc = {key: doc}
    path = "".join(f"['{key}']" for key in keys)
    assert JSONPath(path).find(doc) == [value]
