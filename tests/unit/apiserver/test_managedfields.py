"""Server-side apply and the bookkeeping of field ownership."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rouse.embedded.apiserver.managedfields import (
    ApplyConflictError,
    apply_patch,
    update_managed_fields,
)
from rouse.embedded.apiserver.managedfields.fieldset import (
    difference,
    intersection,
    member_paths,
    union,
)
from rouse.embedded.apiserver.managedfields.walk import field_set
from rouse.embedded.apiserver.schema import Schema, schema_for_builtin
from rouse.errors import InvalidError

Object = dict[str, Any]

_DEPLOYMENT = schema_for_builtin("apps", "Deployment")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _deployment(*, replicas: int | None = None, **containers: Object) -> Object:
    spec: Object = {} if replicas is None else {"replicas": replicas}
    if containers:
        items = [{"name": name, **rest} for name, rest in containers.items()]
        spec["template"] = {"spec": {"containers": items}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "default"},
        "spec": spec,
    }


def _apply(
    live: Object | None,
    applied: Object,
    manager: str = "one",
    *,
    force: bool = False,
    subresource: str = "",
    schema: Schema = _DEPLOYMENT,
    now: str = "2026-01-01T00:00:00Z",
) -> Object:
    before = copy.deepcopy(live), copy.deepcopy(applied)
    out = apply_patch(
        live,
        applied,
        manager=manager,
        force=force,
        subresource=subresource,
        schema=schema,
        now=now,
    )
    assert (live, applied) == before
    return out


def _update(
    old: Object | None,
    new: Object,
    manager: str = "writer",
    *,
    subresource: str = "",
    now: str = "2026-01-01T00:00:00Z",
    schema: Schema = _DEPLOYMENT,
) -> Object:
    return update_managed_fields(
        old, new, manager=manager, subresource=subresource, schema=schema, now=now
    )


def _owned(obj: Object, manager: str, operation: str = "Apply") -> list[str]:
    for entry in obj["metadata"].get("managedFields", ()):
        if (entry["manager"], entry["operation"]) == (manager, operation):
            return list(member_paths(entry["fieldsV1"]))
    return []


def _bare(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def test_a_create_owns_what_it_applies() -> None:
    applied = _deployment(replicas=2, web={"image": "w", "ports": [{"containerPort": 80}]})
    applied["metadata"]["labels"] = {"app": "d"}
    live = _apply(None, applied)
    assert _bare(live) == applied
    assert live["metadata"]["managedFields"] == [
        {
            "manager": "one",
            "operation": "Apply",
            "apiVersion": "apps/v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {
                    "f:replicas": {},
                    "f:template": {
                        "f:spec": {
                            "f:containers": {
                                'k:{"name":"web"}': {
                                    ".": {},
                                    "f:name": {},
                                    "f:image": {},
                                    "f:ports": {
                                        'k:{"containerPort":80,"protocol":"TCP"}': {
                                            ".": {},
                                            "f:containerPort": {},
                                        }
                                    },
                                }
                            }
                        }
                    },
                },
            },
        }
    ]


def test_the_same_apply_again_returns_the_live_object_itself() -> None:
    applied = _deployment(replicas=2, web={"image": "w"})
    live = _apply(None, applied)
    live["spec"]["revisionHistoryLimit"] = 10
    live["metadata"]["uid"] = "u"
    assert _apply(live, applied, now="2027-01-01T00:00:00Z") is live


def test_a_field_no_longer_applied_is_removed() -> None:
    live = _apply(None, _deployment(replicas=2, web={"image": "w", "args": ["-v"]}))
    live = _apply(live, _deployment(web={"image": "w"}))
    assert _bare(live) == _deployment(web={"image": "w"})


def test_a_field_another_manager_applies_too_stays() -> None:
    live = _apply(None, _deployment(replicas=2, web={"image": "w"}))
    live = _apply(live, _deployment(replicas=2), "two")
    live = _apply(live, _deployment(web={"image": "w"}))
    assert live["spec"]["replicas"] == 2
    assert _owned(live, "two") == [".spec.replicas"]
    live = _apply(live, _deployment(), "two")
    assert "replicas" not in live["spec"]


def test_an_item_no_longer_applied_goes_with_what_defaulting_added() -> None:
    live = _apply(None, _deployment(web={"image": "w"}, log={"image": "l"}))
    live["spec"]["template"]["spec"]["containers"][1]["imagePullPolicy"] = "Always"
    live = _apply(live, _deployment(web={"image": "w"}))
    assert [each["name"] for each in live["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_an_item_in_which_another_owns_a_field_keeps_it_and_its_key() -> None:
    live = _apply(None, _deployment(web={"image": "w"}, log={"image": "l"}))
    changed = copy.deepcopy(live)
    changed["spec"]["template"]["spec"]["containers"][1]["args"] = ["-v"]
    live = _update(live, changed)
    live = _apply(live, _deployment(web={"image": "w"}))
    assert live["spec"]["template"]["spec"]["containers"][1] == {"name": "log", "args": ["-v"]}


def test_a_conflict_names_manager_and_field() -> None:
    live = _apply(None, _deployment(replicas=2))
    with pytest.raises(ApplyConflictError) as caught:
        _apply(live, _deployment(replicas=3), "two")
    assert str(caught.value) == (
        'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
    )
    assert caught.value.conflicts == [('"one"', ".spec.replicas")]
    assert caught.value.causes == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "one"',
            "field": ".spec.replicas",
        }
    ]
    assert caught.value.status == 409


def test_several_conflicts_are_listed_by_manager() -> None:
    live = _update(None, _deployment(replicas=2, web={"image": "w"}), "kubectl-create")
    with pytest.raises(ApplyConflictError) as caught:
        _apply(live, _deployment(replicas=3, web={"image": "x"}))
    assert str(caught.value) == (
        "Apply failed with 2 conflicts: conflicts with "
        '"kubectl-create" using apps/v1:\n'
        "- .spec.replicas\n"
        '- .spec.template.spec.containers[name="web"].image'
    )


def test_a_subresource_is_part_of_the_managers_name() -> None:
    live = _update(None, _deployment(replicas=1), "hpa", subresource="scale")
    with pytest.raises(ApplyConflictError, match='"hpa" with subresource "scale" using apps/v1'):
        _apply(live, _deployment(replicas=2))


def test_force_takes_the_field() -> None:
    live = _apply(None, _deployment(replicas=2, web={"image": "w"}))
    live = _apply(live, _deployment(replicas=3), "two", force=True)
    assert live["spec"]["replicas"] == 3
    assert ".spec.replicas" not in _owned(live, "one")
    assert _owned(live, "two") == [".spec.replicas"]


def test_the_same_value_is_shared_without_conflict() -> None:
    live = _apply(None, _deployment(replicas=2))
    live = _apply(live, _deployment(replicas=2), "two")
    assert _owned(live, "one") == _owned(live, "two") == [".spec.replicas"]


def test_an_update_takes_what_it_changes() -> None:
    live = _apply(None, _deployment(replicas=2, web={"image": "w"}))
    changed = copy.deepcopy(live)
    changed["spec"]["replicas"] = 5
    changed["metadata"]["annotations"] = {"note": "x"}
    live = _update(live, changed, "kubectl-edit", now="2026-02-02T00:00:00Z")
    assert _owned(live, "kubectl-edit", "Update") == [
        ".metadata.annotations",
        ".metadata.annotations.note",
        ".spec.replicas",
    ]
    assert ".spec.replicas" not in _owned(live, "one")
    assert live["metadata"]["managedFields"][1]["time"] == "2026-02-02T00:00:00Z"


def test_what_an_update_removes_is_nobodys() -> None:
    live = _apply(None, _deployment(replicas=2, web={"image": "w"}))
    changed = copy.deepcopy(live)
    del changed["spec"]["replicas"]
    live = _update(live, changed)
    assert ".spec.replicas" not in _owned(live, "one")
    assert _owned(live, "writer", "Update") == []


def test_an_update_of_nothing_changes_nothing() -> None:
    live = _update(None, _deployment(replicas=2))
    again = copy.deepcopy(live)
    again["metadata"]["resourceVersion"] = "7"
    assert _update(live, again, "another", now="2027-01-01T00:00:00Z") == again


def test_managed_fields_that_a_client_leaves_out_are_kept() -> None:
    live = _update(None, _deployment(replicas=2))
    assert _update(live, _bare(live)) == live


def test_a_client_may_edit_and_clear_managed_fields() -> None:
    live = _update(None, _deployment(replicas=2), "kubectl-client-side-apply")
    edited = copy.deepcopy(live)
    edited["metadata"]["managedFields"][0].update(manager="kubectl", operation="Apply")
    live = _update(live, edited)
    assert _owned(live, "kubectl") == [".spec", ".spec.replicas"]
    cleared = copy.deepcopy(live)
    cleared["metadata"]["managedFields"] = [{}]
    assert "managedFields" not in _update(live, cleared)["metadata"]


def test_identity_and_the_servers_records_have_no_owner() -> None:
    obj = _deployment(replicas=1)
    obj["metadata"].update(uid="u", generation=3, resourceVersion="9", creationTimestamp="now")
    live = _update(None, obj)
    assert _owned(live, "writer", "Update") == [".spec", ".spec.replicas"]


def test_what_was_there_before_anyone_was_recorded_is_defended() -> None:
    live = _deployment(replicas=2)
    with pytest.raises(ApplyConflictError, match="before-first-apply"):
        _apply(live, _deployment(replicas=3))


def test_only_status_counts_when_status_is_applied() -> None:
    live = _apply(None, _deployment(replicas=2))
    applied = {**_deployment(replicas=9), "status": {"replicas": 2}}
    live = _apply(live, applied, "ctl", subresource="status")
    assert live["spec"]["replicas"] == 2
    assert live["status"] == {"replicas": 2}
    entry = live["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["subresource"]) == ("ctl", "status")
    assert _owned(live, "ctl") == [".status.replicas"]


def test_conditions_of_several_managers_live_together() -> None:
    def status(kind: str) -> Object:
        return {**_deployment(), "status": {"conditions": [{"type": kind, "status": "True"}]}}

    live = _apply(None, _deployment(replicas=1))
    live = _apply(live, status("Available"), "a", subresource="status")
    live = _apply(live, status("Audited"), "b", subresource="status")
    live = _apply(live, {**_deployment(), "status": {}}, "a", subresource="status")
    assert [each["type"] for each in live["status"]["conditions"]] == ["Audited"]


def test_order_follows_the_applied_list_and_keeps_others_in_place() -> None:
    live = _update(None, _deployment(a={"image": "1"}, b={"image": "1"}, c={"image": "1"}))
    live = _apply(live, _deployment(c={"image": "1"}, a={"image": "1"}))
    names = [each["name"] for each in live["spec"]["template"]["spec"]["containers"]]
    assert names == ["c", "a", "b"]


def test_sets_merge_by_value() -> None:
    def with_finalizers(*finalizers: str) -> Object:
        obj = _deployment()
        obj["metadata"]["finalizers"] = list(finalizers)
        del obj["spec"]
        return obj

    live = _apply(None, with_finalizers("a", "b"))
    live = _apply(live, with_finalizers("c"), "two")
    live = _apply(live, with_finalizers("b"))
    assert live["metadata"]["finalizers"] == ["b", "c"]
    assert _owned(live, "two") == ['.metadata.finalizers[="c"]']


def test_lists_without_keys_are_one_value() -> None:
    def with_args(*args: str) -> Object:
        return _deployment(web={"args": list(args)})

    live = _apply(None, with_args("a", "b"))
    with pytest.raises(ApplyConflictError, match=r"\[name=\"web\"\]\.args"):
        _apply(live, with_args("a"), "two")
    live = _apply(live, with_args("a"), "two", force=True)
    assert live["spec"]["template"]["spec"]["containers"][0]["args"] == ["a"]


def test_duplicate_keys_are_refused() -> None:
    applied = _deployment(web={"image": "w"})
    applied["spec"]["template"]["spec"]["containers"] *= 2
    with pytest.raises(InvalidError, match=r'containers: duplicate entries for key \[name="web"\]'):
        _apply(None, applied)


def test_applied_managed_fields_are_refused() -> None:
    live = _apply(None, _deployment(replicas=1))
    with pytest.raises(InvalidError, match=r"metadata\.managedFields must be nil"):
        _apply(live, live)


def test_custom_resources_without_a_schema_are_owned_field_by_field() -> None:
    schema = Schema(None)
    applied = {
        "apiVersion": "x/v1",
        "kind": "X",
        "metadata": {"name": "x"},
        "spec": {"a": {"b": 1, "c": [1, 2]}},
    }
    live = _apply(None, applied, schema=schema)
    assert _owned(live, "one") == [".spec", ".spec.a", ".spec.a.b", ".spec.a.c"]
    second = copy.deepcopy(applied)
    second["spec"] = {"a": {"d": 1}}
    live = _apply(live, second, "two", schema=schema)
    assert live["spec"] == {"a": {"b": 1, "c": [1, 2], "d": 1}}


def test_a_value_that_changes_its_kind_takes_its_fields_with_it() -> None:
    schema = Schema(None)
    before = {"metadata": {"name": "x"}, "spec": {"a": {"b": 1}}}
    live = _update(None, before, "first", schema=schema)
    changed = {**live, "spec": {"a": "text"}}
    live = _update(live, changed, "second", schema=schema)
    assert _owned(live, "second", "Update") == [".spec.a"]
    assert _owned(live, "first", "Update") == [".spec"]


def _client_side(replicas: int) -> Object:
    obj = _deployment(replicas=replicas)
    obj["metadata"]["annotations"] = {
        _LAST_APPLIED: f'{{"apiVersion":"apps/v1","spec":{{"replicas":{replicas}}}}}\n'
    }
    return _update(None, obj, "kubectl-client-side-apply")


def test_kubectl_passes_from_client_side_to_server_side_apply() -> None:
    live = _client_side(2)
    with pytest.raises(ApplyConflictError, match="kubectl-client-side-apply"):
        _apply(live, _deployment(replicas=3), "someone")
    live = _apply(live, _deployment(replicas=3), "kubectl")
    assert live["spec"]["replicas"] == 3
    assert '"replicas":3' in live["metadata"]["annotations"][_LAST_APPLIED]


def test_what_client_side_apply_never_set_is_still_a_conflict() -> None:
    live = _client_side(2)
    changed = copy.deepcopy(live)
    changed["spec"]["paused"] = True
    live = _update(live, changed, "someone")
    applied = _deployment(replicas=2)
    applied["spec"]["paused"] = False
    with pytest.raises(ApplyConflictError, match=r'"someone" using apps/v1: \.spec\.paused'):
        _apply(live, applied, "kubectl")


def test_speed() -> None:
    env = [{"name": f"E{n}", "value": "v"} for n in range(12)]
    applied = _deployment(
        replicas=2, web={"image": "w", "env": env, "ports": [{"containerPort": 80}]}
    )
    live = _apply(None, applied)
    changed = copy.deepcopy(live)
    changed["spec"]["replicas"] = 3
    again = {**changed, "metadata": {**changed["metadata"], "managedFields": []}}

    def apply() -> None:
        apply_patch(
            live,
            again,
            manager="one",
            force=False,
            subresource="",
            schema=_DEPLOYMENT,
            now="2026-01-01T00:00:00Z",
        )

    assert _best(apply) < 0.0003
    assert _best(lambda: _update(live, changed)) < 0.0003


def _best(run: Any) -> float:
    best = 1.0
    for _ in range(50):
        begin = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begin)
    return best


_env = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("ABC")}, optional={"value": st.sampled_from("xy")}
    ),
    max_size=3,
    unique_by=lambda each: each["name"],
)
_container = st.fixed_dictionaries(
    {}, optional={"image": st.sampled_from(["i:1", "i:2"]), "env": _env}
)


@st.composite
def _configs(draw: st.DrawFn) -> Object:
    names = draw(st.lists(st.sampled_from(["web", "log", "init"]), max_size=3, unique=True))
    obj = _deployment(
        replicas=draw(st.none() | st.integers(1, 3)), **{name: draw(_container) for name in names}
    )
    labels = draw(st.none() | st.dictionaries(st.sampled_from("abc"), st.sampled_from("12")))
    if labels is not None:
        obj["metadata"]["labels"] = labels
    return obj


@settings(deadline=None)
@given(_configs(), _configs())
def test_apply_is_idempotent(first: Object, second: Object) -> None:
    live = _apply(None, first, "one")
    live = _apply(live, second, "two", force=True)
    assert _apply(live, second, "two", now="2027-01-01T00:00:00Z") is live


@settings(deadline=None)
@given(_configs(), _configs())
def test_apply_replaces_ones_own_earlier_apply(first: Object, second: Object) -> None:
    """One manager alone: the second apply leaves what a first apply of the second would."""
    twice = _apply(_apply(None, first), second)
    once = _apply(None, second)
    assert _without_empty(_bare(twice)) == _without_empty(_bare(once))
    assert _owned(twice, "one") == _owned(once, "one")


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [])}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(_configs(), _configs())
def test_every_field_of_a_create_and_its_updates_has_one_owner(
    first: Object, second: Object
) -> None:
    live = _update(None, first, "one")
    live = _update(live, {**second, "metadata": {**second["metadata"]}}, "two")
    one, two = (set(_owned(live, name, "Update")) for name in ("one", "two"))
    assert not one & two
    fields = {**second, "metadata": {"labels": second["metadata"].get("labels", {})}}
    wanted = set(member_paths(field_set({"spec": fields["spec"]}, _DEPLOYMENT.root)))
    assert wanted <= one | two | {".spec"}


_trees = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(
        st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', "."]), inner, min_size=1, max_size=3
    ),
    max_leaves=6,
).map(lambda tree: _clean(tree))


def _clean(tree: Object) -> Object:
    """A proper field set: the mark of a member has nothing below it, nor stands alone or on top."""
    out: Object = {}
    for element, node in tree.items():
        if element == ".":
            continue
        below = _clean(node)
        out[element] = {".": {}, **below} if "." in node and below else below
    return out


@settings(deadline=None)
@given(_trees, _trees)
def test_the_algebra_of_field_sets(left: Object, right: Object) -> None:
    a, b = set(member_paths(left)), set(member_paths(right))
    assert set(member_paths(union(left, right))) == a | b
    assert set(member_paths(difference(left, right))) == a - b
    assert set(member_paths(intersection(left, right))) == a & b
