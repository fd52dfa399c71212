"""What is sent, byte for byte, without sending it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from rouse.errors import InvalidError
from rouse.kube import requests
from rouse.kube.objects import Key, key_of, labels_match, owner_reference, selector_of
from rouse.kube.requests import ApiRequest, PatchKind
from rouse.kube.resources import (
    CLUSTER_SERVING_RUNTIMES,
    INFERENCE_SERVICES,
    NAMESPACES,
    PODS,
    RESOURCES,
    resource_of,
)

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "a"},
}


@pytest.mark.parametrize(
    ("request_", "line", "params"),
    [
        (requests.get(PODS, "p", "a"), "GET /api/v1/namespaces/a/pods/p", {}),
        (requests.get(NAMESPACES, "a"), "GET /api/v1/namespaces/a", {}),
        (
            requests.get(CLUSTER_SERVING_RUNTIMES, "system:x"),
            "GET /apis/serving.kserve.io/v1alpha1/clusterservingruntimes/system:x",
            {},
        ),
        (requests.list_(PODS), "GET /api/v1/pods", {}),
        (
            requests.list_(INFERENCE_SERVICES, "a", labels="x=y", limit=5, continue_="c"),
            "GET /apis/serving.kserve.io/v1beta1/namespaces/a/inferenceservices",
            {"labelSelector": "x=y", "limit": "5", "continue": "c"},
        ),
        (
            requests.watch(PODS, "a", resource_version="7", timeout_s=30, fields="spec.nodeName=n"),
            "GET /api/v1/namespaces/a/pods",
            {
                "watch": "true",
                "allowWatchBookmarks": "true",
                "resourceVersion": "7",
                "timeoutSeconds": "30",
                "fieldSelector": "spec.nodeName=n",
            },
        ),
        (
            requests.create(POD, field_manager="m"),
            "POST /api/v1/namespaces/a/pods",
            {"fieldManager": "m"},
        ),
        (
            requests.replace(POD, field_manager="m", subresource="status"),
            "PUT /api/v1/namespaces/a/pods/p/status",
            {"fieldManager": "m"},
        ),
        (
            requests.apply(POD, field_manager="m"),
            "PATCH /api/v1/namespaces/a/pods/p",
            {"fieldManager": "m", "force": "true"},
        ),
        (
            requests.apply(POD, field_manager="m", force=False),
            "PATCH /api/v1/namespaces/a/pods/p",
            {"fieldManager": "m", "force": "false"},
        ),
        (
            requests.apply(POD, field_manager="m", dry_run=True),
            "PATCH /api/v1/namespaces/a/pods/p",
            {"fieldManager": "m", "force": "true", "dryRun": "All"},
        ),
        (
            requests.patch(PODS, "p", {}, namespace="a", field_manager="m"),
            "PATCH /api/v1/namespaces/a/pods/p",
            {"fieldManager": "m"},
        ),
        (requests.delete(PODS, "p", "a"), "DELETE /api/v1/namespaces/a/pods/p", {}),
    ],
)
def test_requests(request_: ApiRequest, line: str, params: dict[str, str]) -> None:
    assert str(request_) == line
    assert request_.params == params


def test_bodies_and_media_types() -> None:
    assert requests.apply(POD, field_manager="m").content_type == "application/apply-patch+yaml"
    patch = requests.patch(PODS, "p", [], namespace="a", kind=PatchKind.JSON, field_manager="m")
    assert (patch.content, patch.content_type) == (b"[]", "application/json-patch+json")
    delete = requests.delete(PODS, "p", "a", uid="u", grace_seconds=0, propagation="Foreground")
    assert orjson.loads(delete.content or b"") == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": "u"},
        "gracePeriodSeconds": 0,
    }


def test_only_reads_and_applies_may_be_sent_twice() -> None:
    assert requests.get(PODS, "p", "a").repeatable
    assert requests.apply(POD, field_manager="m").repeatable
    assert not requests.create(POD, field_manager="m").repeatable
    assert not requests.patch(PODS, "p", [], namespace="a", field_manager="m").repeatable


def test_names_cannot_leave_their_place_in_the_path() -> None:
    request = requests.get(PODS, "../secrets/x", "a")
    assert request.path == "/api/v1/namespaces/a/pods/..%2Fsecrets%2Fx"


@pytest.mark.parametrize("obj", [{}, {"apiVersion": "v1"}, {"apiVersion": "v2", "kind": "Pod"}])
def test_unknown_kinds_are_named(obj: dict[str, Any]) -> None:
    with pytest.raises(InvalidError, match="unknown kind"):
        resource_of(obj)


def test_a_namespaced_object_needs_a_namespace() -> None:
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    for build in (requests.create, requests.apply):
        with pytest.raises(InvalidError, match='Pod "p" needs a namespace'):
            build(obj, field_manager="m")


def test_every_resource_is_found_by_its_objects() -> None:
    for resource in RESOURCES.values():
        assert resource_of({"apiVersion": resource.api_version, "kind": resource.kind}) is resource


def test_objects() -> None:
    owner = {**POD, "metadata": {**POD["metadata"], "uid": "u", "labels": {"x": "1"}}}
    assert key_of(owner) == Key("a", "p")
    assert str(key_of(owner)) == "a/p"
    assert owner_reference(owner) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": "p",
        "uid": "u",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    assert labels_match({"x": "1"}, owner)
    assert not labels_match({"x": "2"}, owner)
    assert selector_of({"b": "2", "a": "1"}) == "a=1,b=2"
