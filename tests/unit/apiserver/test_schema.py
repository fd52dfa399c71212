"""Structural schemas: validation in Kubernetes' words, pruning, defaulting, suggestions."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rouse.embedded.apiserver.schema import Schema, nearest, schema_for_builtin

_SHARED = Path(__file__).resolve().parents[4] / "shared"


def _spec(raw: dict[str, Any]) -> Schema:
    return Schema({"type": "object", "properties": {"spec": raw}})


def _findings(raw: dict[str, Any], value: Any) -> list[str]:
    return [str(error) for error in _spec(raw).validate({"spec": value})]


@pytest.mark.parametrize(
    ("raw", "value", "wanted"),
    [
        (
            {"type": "integer"},
            "three",
            'spec: Invalid value: "string": spec in body must be of type integer: "string"',
        ),
        (
            {"type": "integer"},
            True,
            'spec: Invalid value: "boolean": spec in body must be of type integer: "boolean"',
        ),
        (
            {"type": "integer"},
            1.5,
            'spec: Invalid value: "number": spec in body must be of type integer: "number"',
        ),
        (
            {"type": "string"},
            None,
            'spec: Invalid value: "null": spec in body must be of type string: "null"',
        ),
        (
            {"type": "object"},
            [],
            'spec: Invalid value: "array": spec in body must be of type object: "array"',
        ),
        (
            {"x-kubernetes-int-or-string": True},
            [],
            'spec: Invalid value: "array": spec in body must be of type integer,string: "array"',
        ),
        (
            {"type": "string", "enum": ["a", "b"]},
            "c",
            'spec: Unsupported value: "c": supported values: "a", "b"',
        ),
        ({"type": "integer", "enum": [1]}, 2, "spec: Unsupported value: 2: supported values: 1"),
        (
            {"type": "integer", "minimum": 0},
            -1,
            "spec: Invalid value: -1: spec in body should be greater than or equal to 0",
        ),
        (
            {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
            0,
            "spec: Invalid value: 0: spec in body should be greater than 0",
        ),
        (
            {"type": "integer", "maximum": 100},
            130,
            "spec: Invalid value: 130: spec in body should be less than or equal to 100",
        ),
        (
            {"type": "number", "maximum": 1, "exclusiveMaximum": True},
            1,
            "spec: Invalid value: 1: spec in body should be less than 1",
        ),
        (
            {"type": "integer", "multipleOf": 3},
            4,
            "spec: Invalid value: 4: spec in body should be a multiple of 3",
        ),
        (
            {"type": "string", "minLength": 2},
            "a",
            'spec: Invalid value: "a": spec in body should be at least 2 chars long',
        ),
        ({"type": "string", "maxLength": 2}, "abc", "spec: Too long: may not be more than 2 bytes"),
        (
            {"type": "string", "pattern": "^[a-z]+$"},
            "A",
            "spec: Invalid value: \"A\": spec in body should match '^[a-z]+$'",
        ),
        (
            {"type": "string", "format": "date-time"},
            "soon",
            'spec: Invalid value: "soon": spec in body must be of type date-time: "soon"',
        ),
        (
            {"type": "array", "minItems": 1},
            [],
            "spec: Invalid value: 0: spec in body should have at least 1 items",
        ),
        ({"type": "array", "maxItems": 1}, [1, 2], "spec: Too many: 2: must have at most 1 items"),
        (
            {"type": "object", "minProperties": 1},
            {},
            "spec: Invalid value: 0: spec in body should have at least 1 properties",
        ),
        (
            {"type": "object", "maxProperties": 0},
            {"a": 1},
            "spec: Too many: 1: must have at most 0 items",
        ),
        ({"type": "object", "required": ["name"]}, {}, "spec.name: Required value"),
        (
            {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            ["a", "b", "a"],
            'spec[2]: Duplicate value: "a"',
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object"},
            },
            [{"name": "a", "x": 1}, {"name": "a", "x": 2}],
            'spec[1]: Duplicate value: {"name":"a"}',
        ),
        (
            {"anyOf": [{"type": "integer"}, {"pattern": "^a"}], "type": "string"},
            "b",
            'spec: Invalid value: "b": spec in body must validate at least one schema (anyOf)',
        ),
        (
            {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {},
            "spec: Invalid value: {}: spec in body must validate one and only one schema (oneOf). "
            "Found none valid",
        ),
        (
            {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"a": 1, "b": 2},
            'spec: Invalid value: {"a":1,"b":2}: spec in body must validate one and only one '
            "schema (oneOf). Found 2 valid alternatives",
        ),
        (
            {"type": "integer", "not": {"enum": [3]}},
            3,
            "spec: Invalid value: 3: spec in body must not validate the schema (not)",
        ),
        (
            {"type": "integer", "allOf": [{"minimum": 5}]},
            3,
            "spec: Invalid value: 3: spec in body should be greater than or equal to 5",
        ),
    ],
)
def test_one_finding(raw: dict[str, Any], value: Any, wanted: str) -> None:
    assert _findings(raw, value) == [wanted]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ({"type": "integer"}, 3.0),
        ({"type": "number"}, 3),
        ({"type": "string", "nullable": True}, None),
        ({"x-kubernetes-int-or-string": True}, "8080"),
        ({"x-kubernetes-int-or-string": True}, 8080),
        ({}, {"anything": [1, None]}),
        ({"type": "string", "format": "int32"}, "any text"),
        ({"type": "string", "pattern": "a$"}, "ba"),
        ({"type": "string", "pattern": r"^[[:alpha:]]+\z"}, "ab"),
        ({"type": "string", "pattern": r"(?<broken"}, "ab"),
        ({"type": "string", "enum": ["", "x"]}, ""),
    ],
)
def test_no_finding(raw: dict[str, Any], value: Any) -> None:
    assert _findings(raw, value) == []


def test_a_dollar_is_the_end_of_the_text_as_in_go() -> None:
    assert _findings({"type": "string", "pattern": "^a$"}, "a\n") != []


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05"),
        ("date", "2026-01-02", "2026-13-02"),
        ("byte", "aGk=", "a"),
        ("ipv4", "10.0.0.1", "10.0.0"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0/40"),
        ("duration", "1h30m", "soon"),
        ("email", "a@b", "ab"),
        ("hostname", "a.example.com", "-a-"),
        ("uri", "gs://bucket/model", "no uri"),
        ("uuid", "6b8c0a2e-7c4e-4d4e-9d0f-1c3a5b7d9e0f", "6b8c"),
    ],
)
def test_formats(name: str, good: str, bad: str) -> None:
    raw = {"type": "string", "format": name}
    assert _findings(raw, good) == []
    assert len(_findings(raw, bad)) == 1


_DEEP = {
    "type": "object",
    "properties": {
        "containers": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "ports": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "port": {"type": "integer"},
                                "protocol": {"type": "string", "default": "TCP"},
                            },
                        },
                    },
                },
            },
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"known": {"type": "object", "properties": {"a": {}}}},
        },
        "template": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "properties": {"spec": {"type": "object"}},
        },
        "settings": {"type": "object", "default": {"level": 1}},
        "note": {"type": "string"},
        "maybe": {"type": "string", "nullable": True},
    },
}


def test_every_finding_is_told_with_its_path() -> None:
    value = {"containers": [{"ports": [{"port": "x"}]}, {"name": 1}], "labels": {"a": 2}}
    assert [error.path for error in _spec(_DEEP).validate({"spec": value})] == [
        "spec.containers[0].ports[0].port",
        "spec.containers[0].name",
        "spec.containers[1].name",
        "spec.labels.a",
    ]


def test_prune_removes_unknown_fields_and_tells_their_paths() -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "x", "nam": "y"},
        "extra": 1,
        "spec": {
            "containers": [{"name": "a", "imagee": 1}, {"ports": [{"prt": 1}]}],
            "labels": {"any": "thing"},
            "free": {"unknown": {"kept": 1}, "known": {"a": 1, "b": 2}},
            "template": {"apiVersion": "v1", "kind": "Y", "metadata": {}, "bogus": 1},
        },
    }
    assert sorted(_spec(_DEEP).prune(obj)) == [
        "extra",
        "metadata.nam",
        "spec.containers[0].imagee",
        "spec.containers[1].ports[0].prt",
        "spec.free.known.b",
        "spec.template.bogus",
    ]
    assert obj == {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "x"},
        "spec": {
            "containers": [{"name": "a"}, {"ports": [{}]}],
            "labels": {"any": "thing"},
            "free": {"unknown": {"kept": 1}, "known": {"a": 1}},
            "template": {"apiVersion": "v1", "kind": "Y", "metadata": {}},
        },
    }


def test_default_fills_in_and_removes_nulls() -> None:
    schema = _spec(_DEEP)
    first: dict[str, Any] = {
        "metadata": {"creationTimestamp": None},
        "spec": {"containers": [{"ports": [{}]}], "note": None, "maybe": None},
    }
    second = copy.deepcopy(first)
    schema.default(first)
    assert first == {
        "metadata": {},
        "spec": {
            "containers": [{"ports": [{"protocol": "TCP"}]}],
            "settings": {"level": 1},
            "maybe": None,
        },
    }
    first["spec"]["settings"]["level"] = 2
    schema.default(second)
    assert second["spec"]["settings"] == {"level": 1}


def test_a_null_with_a_default_becomes_the_default() -> None:
    obj: dict[str, Any] = {"spec": {"replicas": None}}
    _spec(
        {"type": "object", "properties": {"replicas": {"type": "integer", "default": 3}}}
    ).default(obj)
    assert obj == {"spec": {"replicas": 3}}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("spec.container", "containers"),
        ("spec.containers[0].Name", "name"),
        ("spec.containers[3].ports[0].prot", "port"),
        ("metadata.label", "labels"),
        ("spec.zzz", ""),
        ("spec.nowhere.zzz", ""),
        ("spce", "spec"),
    ],
)
def test_suggestions(path: str, wanted: str) -> None:
    assert _spec(_DEEP).suggest(path) == wanted


def test_nearest() -> None:
    assert nearest("storageURI", ["storageUri", "runtime"]) == "storageUri"
    assert nearest("x", ["storageUri"]) == ""


def test_without_a_schema_everything_is_kept_but_metadata_has_its_form() -> None:
    schema = Schema(None)
    obj = {"metadata": {"labels": {"a": "b"}, "bogus": 1}, "spec": {"any": ["thing", None]}}
    assert schema.prune(obj) == ["metadata.bogus"]
    assert obj["spec"] == {"any": ["thing", None]}
    assert [error.path for error in schema.validate({"metadata": {"labels": []}})] == [
        "metadata.labels"
    ]


def test_builtin_kinds_keep_what_is_not_described_and_check_what_is() -> None:
    schema = schema_for_builtin("", "Pod")
    pod: dict[str, Any] = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "novel": 1, "resources": {"limits": {"cpu": 0.5}}}]},
    }
    assert schema.prune(copy.deepcopy(pod)) == []
    assert schema.validate(pod) == []
    pod["spec"]["containers"] = [{"image": 3}]
    assert [str(error) for error in schema.validate(pod)] == [
        'spec.containers[0].image: Invalid value: "integer": spec.containers[0].image in body '
        'must be of type string: "integer"',
        "spec.containers[0].name: Required value",
    ]


@pytest.mark.parametrize(
    ("group", "kind", "path", "keys"),
    [
        ("", "Pod", "spec.containers", ("name",)),
        ("", "Pod", "spec.volumes", ("name",)),
        ("", "Pod", "spec.imagePullSecrets", ("name",)),
        ("", "Pod", "spec.hostAliases", ("ip",)),
        ("", "Pod", "status.conditions", ("type",)),
        ("", "Pod", "metadata.ownerReferences", ("uid",)),
        ("", "Pod", "spec.tolerations", None),
        ("", "Service", "spec.ports", ("port", "protocol")),
        ("", "Node", "status.addresses", ("type",)),
        ("apps", "Deployment", "spec.template.spec.containers", ("name",)),
        ("apps", "Deployment", "status.conditions", ("type",)),
        ("discovery.k8s.io", "EndpointSlice", "endpoints", None),
        ("discovery.k8s.io", "EndpointSlice", "ports", None),
    ],
)
def test_builtin_list_keys(group: str, kind: str, path: str, keys: tuple[str, ...] | None) -> None:
    node = schema_for_builtin(group, kind).root
    for step in path.split("."):
        child = node.child(step)
        assert child is not None
        node = child
    assert (node.list_type, node.list_map_keys) == (("map", keys) if keys else ("atomic", ()))


_names = st.sampled_from(["a", "b", "known", "spec"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(_values)
def test_any_value_gets_an_answer_and_pruning_is_idempotent(value: Any) -> None:
    schema = _spec(_DEEP)
    obj = {"spec": value}
    schema.default(obj)
    schema.prune(obj)
    assert schema.prune(obj) == []
    once = copy.deepcopy(obj)
    schema.default(obj)
    assert obj == once
    for error in schema.validate(obj):
        assert error.path.startswith("spec")


def _published(name: str) -> Schema:
    path = _SHARED / "schemas" / "kserve" / name
    if not path.exists():
        pytest.skip(f"the published CRDs are not here: {path}")
    crd = yaml.load(path.read_text(), yaml.CSafeLoader)
    return Schema(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def test_the_published_inferenceservice_schema_is_quick() -> None:
    schema = _published("inferenceservices.serving.kserve.io.yaml")
    obj: dict[str, Any] = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "large"},
        "spec": {
            "predictor": {
                "model": {
                    "modelFormat": {"name": "sklearn"},
                    "env": [{"name": f"E{n}", "value": "v"} for n in range(100)],
                },
                "volumes": [{"name": f"v{n}", "secret": {"secretName": "s"}} for n in range(30)],
            }
        },
    }
    schema.default(obj)
    assert schema.prune(obj) == []
    assert schema.validate(obj) == []
    best = min(_seconds(schema, obj) for _ in range(20))
    assert best < 0.001


def _seconds(schema: Schema, obj: dict[str, Any]) -> float:
    begin = time.perf_counter()
    schema.validate(obj)
    return time.perf_counter() - begin
