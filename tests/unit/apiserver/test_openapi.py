"""OpenAPI documents: what kubectl looks for, in JSON and in protobuf."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from rouse.embedded.apiserver.openapi import (
    ResourceDescription,
    openapi_v2_json,
    openapi_v2_protobuf,
    openapi_v3_group,
    openapi_v3_index,
)

Object = dict[str, Any]

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_ISVC_SCHEMA: Object = {
    "description": "A model.",
    "type": "object",
    "properties": {
        "metadata": {"type": "object"},
        "spec": {
            "description": "What is wanted.",
            "type": "object",
            "required": ["predictor"],
            "properties": {
                "predictor": {"type": "object", "properties": {"name": {"type": "string"}}},
                "percent": {"type": "integer", "minimum": 0, "maximum": 100, "default": 100},
                "port": {
                    "x-kubernetes-int-or-string": True,
                    "anyOf": [{"type": "integer"}, {"type": "string"}],
                },
                "free": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {"known": {"type": "string"}},
                },
                "maybe": {"type": "string", "nullable": True},
                "mode": {"type": "string", "enum": ["a", "b"], "pattern": "^[ab]$"},
                "hosts": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string"},
                    "x-kubernetes-list-type": "set",
                },
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    },
}
_POD = ResourceDescription("", "v1", "Pod", "pods", True, _VERBS, subresources=("status",))
_NAMESPACE = ResourceDescription("", "v1", "Namespace", "namespaces", False, _VERBS)
_DEPLOYMENT = ResourceDescription("apps", "v1", "Deployment", "deployments", True, _VERBS)
_ROLE = ResourceDescription("rbac.authorization.k8s.io", "v1", "Role", "roles", True, _VERBS)
_REVIEW = ResourceDescription(
    "authorization.k8s.io",
    "v1",
    "SelfSubjectAccessReview",
    "selfsubjectaccessreviews",
    False,
    ("create",),
)
_KSVC = ResourceDescription("serving.knative.dev", "v1", "Service", "services", True, _VERBS)
_ISVC = ResourceDescription(
    "serving.kserve.io",
    "v1beta1",
    "InferenceService",
    "inferenceservices",
    True,
    _VERBS,
    _ISVC_SCHEMA,
    ("status",),
)
_ALL = [_POD, _NAMESPACE, _DEPLOYMENT, _ROLE, _REVIEW, _KSVC, _ISVC]
_ISVC_NAME = "io.kserve.serving.v1beta1.InferenceService"


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _refs(each)
    elif isinstance(value, list):
        for each in value:
            yield from _refs(each)


def test_v2_names_definitions_as_kubernetes_does() -> None:
    definitions = openapi_v2_json(_ALL)["definitions"]
    assert {
        "io.k8s.api.core.v1.Pod",
        "io.k8s.api.core.v1.PodSpec",
        "io.k8s.api.apps.v1.Deployment",
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
        "dev.knative.serving.v1.Service",
        _ISVC_NAME,
        f"{_ISVC_NAME}List",
    } <= definitions.keys()
    gvk = {"group": "serving.kserve.io", "kind": "InferenceService", "version": "v1beta1"}
    assert definitions[_ISVC_NAME]["x-kubernetes-group-version-kind"] == [gvk]


def test_v2_leaves_out_native_kinds_it_cannot_describe() -> None:
    assert not [name for name in openapi_v2_json(_ALL)["definitions"] if name.endswith("Role")]


def test_v2_refers_only_to_what_is_there() -> None:
    document = openapi_v2_json(_ALL)
    known = {f"#/definitions/{name}" for name in document["definitions"]}
    assert set(_refs(document)) <= known


def test_v2_speaks_the_language_of_old_clients() -> None:
    spec = openapi_v2_json([_ISVC])["definitions"][_ISVC_NAME]["properties"]["spec"]
    assert spec["required"] == ["predictor"]
    properties = spec["properties"]
    assert properties["percent"] == {"type": "integer", "minimum": 0, "maximum": 100}
    assert properties["port"] == {"type": "string", "format": "int-or-string"}
    assert properties["free"] == {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
    }
    assert properties["maybe"] == {}
    assert properties["labels"] == {"type": "object", "additionalProperties": {"type": "string"}}


def test_v2_tells_merge_keys() -> None:
    definitions = openapi_v2_json([_POD])["definitions"]
    containers = definitions["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"


@pytest.mark.parametrize("resource", [_POD, _NAMESPACE, _ISVC, _KSVC], ids=lambda one: one.kind)
def test_patch_operations_tell_what_they_understand(resource: ResourceDescription) -> None:
    path = f"{resource.path}/{{name}}"
    for document in (openapi_v2_json(_ALL), openapi_v3_group(_ALL, resource.group_version)):
        patch = document["paths"][path]["patch"]
        assert patch["x-kubernetes-action"] == "patch"
        assert patch["x-kubernetes-group-version-kind"] == resource.gvk
        names = {each["name"] for each in patch["parameters"] if each["in"] == "query"}
        assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= names
        post = document["paths"][resource.path]["post"]
        assert {"dryRun", "fieldValidation"} <= {each["name"] for each in post["parameters"]}


def test_strategic_patches_are_offered_where_their_keys_are_known() -> None:
    def offered(resource: ResourceDescription) -> bool:
        document = openapi_v3_group([resource], resource.group_version)
        content = document["paths"][f"{resource.path}/{{name}}"]["patch"]["requestBody"]["content"]
        return "application/strategic-merge-patch+json" in content

    assert [offered(one) for one in (_POD, _DEPLOYMENT, _ROLE, _KSVC, _ISVC)] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_paths_follow_verbs_scope_and_subresources() -> None:
    paths = openapi_v2_json(_ALL)["paths"]
    assert set(paths["/api/v1/namespaces/{namespace}/pods"]) == {"get", "post", "delete"}
    assert set(paths["/api/v1/pods"]) == {"get"}
    assert set(paths["/api/v1/namespaces/{name}"]) == {"get", "put", "patch", "delete"}
    assert set(paths["/api/v1/namespaces/{namespace}/pods/{name}/status"]) == {
        "get",
        "put",
        "patch",
    }
    assert set(paths["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"]) == {"post"}
    identities = [each["operationId"] for item in paths.values() for each in item.values()]
    assert len(identities) == len(set(identities))


def test_v3_index_lists_every_group_and_version() -> None:
    index = openapi_v3_index(_ALL, "abc")
    assert list(index["paths"]) == [
        "api/v1",
        "apis/apps/v1",
        "apis/authorization.k8s.io/v1",
        "apis/rbac.authorization.k8s.io/v1",
        "apis/serving.knative.dev/v1",
        "apis/serving.kserve.io/v1beta1",
    ]
    assert index["paths"]["api/v1"] == {"serverRelativeURL": "/openapi/v3/api/v1?hash=abc"}


def test_v3_describes_one_group_with_its_own_references() -> None:
    document = openapi_v3_group(_ALL, "serving.kserve.io/v1beta1")
    schemas = document["components"]["schemas"]
    assert all("kserve" in path for path in document["paths"])
    assert set(_refs(document)) <= {f"#/components/schemas/{name}" for name in schemas}
    isvc = schemas[_ISVC_NAME]
    assert isvc["properties"]["metadata"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    ]
    assert isvc["properties"]["spec"]["properties"]["percent"]["default"] == 100
    assert isvc["properties"]["spec"]["properties"]["free"]["properties"] == {
        "known": {"type": "string"}
    }


def test_v3_knows_every_kind_at_least_by_its_metadata() -> None:
    schemas = openapi_v3_group(_ALL, "rbac.authorization.k8s.io/v1")["components"]["schemas"]
    role = schemas["io.k8s.api.rbac.v1.Role"]
    assert set(role["properties"]) == {"apiVersion", "kind", "metadata"}


Message = dict[int, list[Any]]


def _decode(body: bytes) -> Message:
    """A protobuf message as field number -> values, undecoded below this level."""
    fields: Message = {}
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        field, wire = tag >> 3, tag & 7
        value: Any
        if wire == 0:
            value, at = _varint(body, at)
        elif wire == 1:
            (value,) = struct.unpack_from("<d", body, at)
            at += 8
        else:
            assert wire == 2
            length, at = _varint(body, at)
            value = body[at : at + length]
            assert len(value) == length
            at += length
        fields.setdefault(field, []).append(value)
    return fields


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _named(values: list[bytes]) -> dict[str, bytes]:
    pairs = [_decode(value) for value in values]
    return {pair[1][0].decode(): pair[2][0] for pair in pairs}


def _extensions(values: list[bytes]) -> Object:
    """Vendor extensions: an Any each, whose second field is YAML."""
    return {name: orjson.loads(_decode(value)[2][0]) for name, value in _named(values).items()}


def _schema_json(body: bytes) -> Object:
    """A Schema message read back into JSON, by the field numbers of gnostic's definition."""
    fields = _decode(body)
    out: Object = {}
    for field, name in ((1, "$ref"), (2, "format"), (4, "description"), (13, "pattern")):
        if field in fields:
            out[name] = fields[field][0].decode()
    for field, name in ((7, "maximum"), (9, "minimum"), (15, "minItems")):
        if field in fields:
            out[name] = fields[field][0]
    if 19 in fields:
        out["required"] = [each.decode() for each in fields[19]]
    if 20 in fields:
        out["enum"] = [orjson.loads(_decode(each)[2][0]) for each in fields[20]]
    if 21 in fields:
        out["additionalProperties"] = _schema_json(_decode(fields[21][0])[1][0])
    if 22 in fields:
        out["type"] = _decode(fields[22][0])[1][0].decode()
    if 23 in fields:
        out["items"] = _schema_json(_decode(fields[23][0])[1][0])
    if 25 in fields:
        named = _named(_decode(fields[25][0])[1])
        out["properties"] = {name: _schema_json(value) for name, value in named.items()}
    out.update(_extensions(fields.get(31, [])))
    return out


def test_the_protobuf_document_says_what_the_json_one_says() -> None:
    document = openapi_v2_json(_ALL)
    message = _decode(openapi_v2_protobuf(_ALL))
    assert message[1] == [b"2.0"]
    definitions = _named(_decode(message[9][0])[1])
    assert {name: _schema_json(body) for name, body in definitions.items()} == document[
        "definitions"
    ]


def test_the_protobuf_document_tells_dry_run_where_kubectl_looks() -> None:
    paths = _named(_decode(_decode(openapi_v2_protobuf(_ALL))[8][0])[2])
    patch = _decode(_decode(paths[f"{_ISVC.path}/{{name}}"])[8][0])
    assert _extensions(patch[13])["x-kubernetes-group-version-kind"] == _ISVC.gvk
    non_bodies = [_decode(_decode(each)[1][0]).get(2) for each in patch[8]]
    queries = [_decode(each[0]).get(3) for each in non_bodies if each]
    assert b"dryRun" in [_decode(query[0])[4][0] for query in queries if query]
