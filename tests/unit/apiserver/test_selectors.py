from __future__ import annotations

from typing import Any

import pytest

from rouse.embedded.apiserver.errors import StatusError
from rouse.embedded.apiserver.records import Record, record_of
from rouse.embedded.apiserver.selectors import selectable_fields, selector


def _record(bucket: str = "/pods", **parts: Any) -> Record:
    obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": "ns", "labels": parts.pop("labels", {})},
        **parts,
    }
    return record_of(obj, 1, selectable_fields(bucket, obj))


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a", {"a": ""}, True),
        ("a", {}, False),
        ("!a", {}, True),
        ("!a", {"a": "x"}, False),
        ("a in (x, y)", {"a": "y"}, True),
        ("a in (x,y)", {}, False),
        ("a notin (x,y)", {}, True),
        ("a notin (x,y)", {"a": "x"}, False),
        ("n>3", {"n": "4"}, True),
        ("n>3", {"n": "3"}, False),
        ("n<3", {"n": "2"}, True),
        ("n<3", {"n": "no"}, False),
        ("a=b,c in (d,e),!f", {"a": "b", "c": "e"}, True),
        ("a=b,c in (d,e),!f", {"a": "b", "c": "e", "f": ""}, False),
        ("serving.knative.dev/service=iris-predictor", {"serving.knative.dev/service": "x"}, False),
    ],
)
def test_label_selectors(text: str, labels: dict[str, str], matches: bool) -> None:
    assert selector("/pods", text, "").matches(_record(labels=labels)) is matches


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=a", True),
        ("metadata.name!=a", False),
        ("metadata.namespace=ns,spec.nodeName=n1", True),
        ("spec.nodeName=n2", False),
        ("status.phase!=Running", False),
        ("spec.hostNetwork=false", False),
    ],
)
def test_field_selectors(text: str, matches: bool) -> None:
    pod = _record(spec={"nodeName": "n1"}, status={"phase": "Running"})
    assert selector("/pods", "", text).matches(pod) is matches


def test_an_events_component_is_its_source() -> None:
    event = {"source": {"component": "kubelet"}, "involvedObject": {"name": "iris"}}
    fields = selectable_fields("/events", event)
    assert fields["source"] == "kubelet"
    assert fields["involvedObject.name"] == "iris"


@pytest.mark.parametrize(
    ("labels", "fields"),
    [("a in (x", ""), ("a=b)", ""), ("=b", ""), ("n>x", ""), ("", "spec.color=red"), ("", "a")],
)
def test_nonsense_is_refused(labels: str, fields: str) -> None:
    with pytest.raises(StatusError) as caught:
        selector("/pods", labels, fields)
    assert caught.value.status == 400
