"""Strategic merge patch on built-in kinds."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rouse.embedded.apiserver.jsonpatch import PatchError
from rouse.embedded.apiserver.schema import schema_for_builtin
from rouse.embedded.apiserver.strategic import strategic_merge_patch

Object = dict[str, Any]

_POD = schema_for_builtin("", "Pod")
_SERVICE = schema_for_builtin("", "Service")
_DEPLOYMENT = schema_for_builtin("apps", "Deployment")

_LIVE: Object = {
    "metadata": {"name": "p", "finalizers": ["a", "b"], "labels": {"x": "1", "y": "2"}},
    "spec": {
        "nodeSelector": {"zone": "one"},
        "containers": [
            {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]},
            {"name": "log", "image": "log:1"},
        ],
        "tolerations": [{"key": "gpu"}],
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
    },
}


def _containers(*items: Object) -> Object:
    return {"spec": {"containers": list(items)}}


@pytest.mark.parametrize(
    ("patch", "path", "wanted"),
    [
        (
            _containers({"name": "web", "image": "web:2"}),
            "spec.containers",
            [
                {"name": "web", "image": "web:2", "env": [{"name": "A", "value": "1"}]},
                {"name": "log", "image": "log:1"},
            ],
        ),
        (
            _containers({"name": "new", "image": "new:1"}),
            "spec.containers",
            [*_LIVE["spec"]["containers"], {"name": "new", "image": "new:1"}],
        ),
        (
            _containers({"name": "web", "$patch": "delete"}),
            "spec.containers",
            [{"name": "log", "image": "log:1"}],
        ),
        (
            _containers({"name": "only"}, {"$patch": "replace"}),
            "spec.containers",
            [{"name": "only"}],
        ),
        (
            _containers({"name": "web", "env": [{"name": "B", "value": "2"}], "image": None}),
            "spec.containers",
            [
                {
                    "name": "web",
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                },
                {"name": "log", "image": "log:1"},
            ],
        ),
        (
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "log"}, {"name": "web"}],
                    "containers": [{"name": "log", "image": "log:2"}],
                }
            },
            "spec.containers",
            [{"name": "log", "image": "log:2"}, _LIVE["spec"]["containers"][0]],
        ),
        (
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "log"}, {"name": "new"}],
                    "containers": [{"name": "new"}],
                }
            },
            "spec.containers",
            [_LIVE["spec"]["containers"][0], {"name": "log", "image": "log:1"}, {"name": "new"}],
        ),
        ({"spec": {"tolerations": [{"key": "x"}]}}, "spec.tolerations", [{"key": "x"}]),
        ({"metadata": {"finalizers": ["c", "a"]}}, "metadata.finalizers", ["a", "b", "c"]),
        (
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
            "metadata.finalizers",
            ["b"],
        ),
        (
            {
                "metadata": {
                    "$deleteFromPrimitiveList/finalizers": ["a"],
                    "$setElementOrder/finalizers": ["c", "b"],
                    "finalizers": ["c"],
                }
            },
            "metadata.finalizers",
            ["c", "b"],
        ),
        ({"metadata": {"labels": {"x": None, "z": "3"}}}, "metadata.labels", {"y": "2", "z": "3"}),
        (
            {"metadata": {"labels": {"$patch": "replace", "z": "3"}}},
            "metadata.labels",
            {"z": "3"},
        ),
        ({"metadata": {"labels": {"$patch": "delete"}}}, "metadata.labels", {}),
        ({"metadata": {"labels": {"$patch": "merge"}}}, "metadata.labels", {"x": "1", "y": "2"}),
        (
            {
                "spec": {
                    "volumes": [
                        {
                            "$retainKeys": ["name", "hostPath"],
                            "name": "v",
                            "hostPath": {"path": "/"},
                        }
                    ]
                }
            },
            "spec.volumes",
            [{"name": "v", "hostPath": {"path": "/"}}],
        ),
    ],
)
def test_patches(patch: Object, path: str, wanted: Any) -> None:
    live, given_patch = copy.deepcopy(_LIVE), copy.deepcopy(patch)
    got: Any = strategic_merge_patch(live, patch, _POD)
    for step in path.split("."):
        got = got[step]
    assert got == wanted
    assert live == _LIVE
    assert patch == given_patch


def test_ports_of_one_number_are_told_apart_by_protocol() -> None:
    live = {"spec": {"ports": [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}}
    patch = {"spec": {"ports": [{"port": 53, "protocol": "UDP", "name": "dns"}]}}
    assert strategic_merge_patch(live, patch, _SERVICE)["spec"]["ports"] == [
        {"port": 53, "protocol": "TCP"},
        {"port": 53, "protocol": "UDP", "name": "dns"},
    ]


def test_the_template_of_a_deployment_merges_like_a_pod() -> None:
    live = {"spec": {"template": {"spec": copy.deepcopy(_LIVE["spec"])}}}
    patch = {"spec": {"template": {"spec": _containers({"name": "log", "image": "log:9"})["spec"]}}}
    merged = strategic_merge_patch(live, patch, _DEPLOYMENT)
    images = [each["image"] for each in merged["spec"]["template"]["spec"]["containers"]]
    assert images == ["web:1", "log:9"]


def test_directives_leave_no_trace_in_new_objects() -> None:
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "a"}],
            "strategy": {"$retainKeys": ["type"], "type": "Recreate"},
            "containers": [{"name": "a", "$setElementOrder/env": [{"name": "E"}], "env": []}],
        }
    }
    assert strategic_merge_patch({}, patch, _POD) == {
        "spec": {"strategy": {"type": "Recreate"}, "containers": [{"name": "a", "env": []}]}
    }


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({"spec": {"$patch": "explode"}}, "unknown \\$patch directive 'explode'"),
        (_containers({"image": "x"}), "no 'name'"),
        (_containers("x"), "holds objects only"),  # type: ignore[arg-type]
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}}, "must be a list"),
        ({"metadata": {"$setElementOrder/finalizers": "a"}}, "must be a list"),
        ({"spec": {"$retainKeys": "a"}}, "must be a list of field names"),
        ({"spec": {"$retainKeys": ["a"], "b": 1}}, "does not name 'b'"),
        ([], "must be an object"),
    ],
)
def test_refusals(patch: Any, says: str) -> None:
    with pytest.raises(PatchError, match=says):
        strategic_merge_patch(copy.deepcopy(_LIVE), patch, _POD)


_container = st.fixed_dictionaries(
    {"name": st.sampled_from("abcd")}, optional={"image": st.sampled_from(["i:1", "i:2"])}
)
_list_of_containers = st.lists(_container, max_size=4, unique_by=lambda each: each["name"])


@settings(deadline=None)
@given(_list_of_containers, _list_of_containers)
def test_a_patch_is_idempotent_and_complete(live: list[Object], patch: list[Object]) -> None:
    body = {"spec": {"containers": patch, "$setElementOrder/containers": patch}}
    once = strategic_merge_patch({"spec": {"containers": live}}, body, _POD)
    assert strategic_merge_patch(once, body, _POD) == once
    names = [each["name"] for each in once["spec"]["containers"]]
    assert set(names) == {each["name"] for each in [*live, *patch]}
    assert [name for name in names if name in {each["name"] for each in patch}] == [
        each["name"] for each in patch
    ]
    by_name = {each["name"]: each for each in once["spec"]["containers"]}
    assert all(by_name[each["name"]].items() >= each.items() for each in patch)
