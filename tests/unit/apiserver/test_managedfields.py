"""Server-side apply: what is merged, what is removed, and who is in conflict with whom."""

from __future__ import annotations

import copy

import pytest

from rouse.embedded.apiserver.managedfields import ApplyConflictError
from rouse.embedded.apiserver.schema import Schema
from rouse.errors import InvalidError
from tests.unit.apiserver.managed import Object, apply, bare, deployment, owned, update


def test_a_create_owns_what_it_applies() -> None:
    applied = deployment(replicas=2, web={"image": "w", "ports": [{"containerPort": 80}]})
    applied["metadata"]["labels"] = {"app": "d"}
    live = apply(None, applied)
    assert bare(live) == applied
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
    applied = deployment(replicas=2, web={"image": "w"})
    live = apply(None, applied)
    live["spec"]["revisionHistoryLimit"] = 10
    live["metadata"]["uid"] = "u"
    assert apply(live, applied, now="2027-01-01T00:00:00Z") is live


def test_a_field_no_longer_applied_is_removed() -> None:
    live = apply(None, deployment(replicas=2, web={"image": "w", "args": ["-v"]}))
    live = apply(live, deployment(web={"image": "w"}))
    assert bare(live) == deployment(web={"image": "w"})


def test_a_field_another_manager_applies_too_stays() -> None:
    live = apply(None, deployment(replicas=2, web={"image": "w"}))
    live = apply(live, deployment(replicas=2), "two")
    live = apply(live, deployment(web={"image": "w"}))
    assert live["spec"]["replicas"] == 2
    assert owned(live, "two") == [".spec.replicas"]
    live = apply(live, deployment(), "two")
    assert "replicas" not in live["spec"]


def test_an_item_no_longer_applied_goes_with_what_defaulting_added() -> None:
    live = apply(None, deployment(web={"image": "w"}, log={"image": "l"}))
    live["spec"]["template"]["spec"]["containers"][1]["imagePullPolicy"] = "Always"
    live = apply(live, deployment(web={"image": "w"}))
    assert [each["name"] for each in live["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_an_item_in_which_another_owns_a_field_keeps_it_and_its_key() -> None:
    live = apply(None, deployment(web={"image": "w"}, log={"image": "l"}))
    changed = copy.deepcopy(live)
    changed["spec"]["template"]["spec"]["containers"][1]["args"] = ["-v"]
    live = update(live, changed)
    live = apply(live, deployment(web={"image": "w"}))
    assert live["spec"]["template"]["spec"]["containers"][1] == {"name": "log", "args": ["-v"]}


def test_a_conflict_names_manager_and_field() -> None:
    live = apply(None, deployment(replicas=2))
    with pytest.raises(ApplyConflictError) as caught:
        apply(live, deployment(replicas=3), "two")
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
    live = update(None, deployment(replicas=2, web={"image": "w"}), "kubectl-create")
    with pytest.raises(ApplyConflictError) as caught:
        apply(live, deployment(replicas=3, web={"image": "x"}))
    assert str(caught.value) == (
        "Apply failed with 2 conflicts: conflicts with "
        '"kubectl-create" using apps/v1:\n'
        "- .spec.replicas\n"
        '- .spec.template.spec.containers[name="web"].image'
    )


def test_a_subresource_is_part_of_the_managers_name() -> None:
    live = update(None, deployment(replicas=1), "hpa", subresource="scale")
    with pytest.raises(ApplyConflictError, match='"hpa" with subresource "scale" using apps/v1'):
        apply(live, deployment(replicas=2))


def test_force_takes_the_field() -> None:
    live = apply(None, deployment(replicas=2, web={"image": "w"}))
    live = apply(live, deployment(replicas=3), "two", force=True)
    assert live["spec"]["replicas"] == 3
    assert ".spec.replicas" not in owned(live, "one")
    assert owned(live, "two") == [".spec.replicas"]


def test_the_same_value_is_shared_without_conflict() -> None:
    live = apply(None, deployment(replicas=2))
    live = apply(live, deployment(replicas=2), "two")
    assert owned(live, "one") == owned(live, "two") == [".spec.replicas"]


def test_only_status_counts_when_status_is_applied() -> None:
    live = apply(None, deployment(replicas=2))
    applied = {**deployment(replicas=9), "status": {"replicas": 2}}
    live = apply(live, applied, "ctl", subresource="status")
    assert live["spec"]["replicas"] == 2
    assert live["status"] == {"replicas": 2}
    entry = live["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["subresource"]) == ("ctl", "status")
    assert owned(live, "ctl") == [".status.replicas"]


def test_conditions_of_several_managers_live_together() -> None:
    def status(kind: str) -> Object:
        return {**deployment(), "status": {"conditions": [{"type": kind, "status": "True"}]}}

    live = apply(None, deployment(replicas=1))
    live = apply(live, status("Available"), "a", subresource="status")
    live = apply(live, status("Audited"), "b", subresource="status")
    live = apply(live, {**deployment(), "status": {}}, "a", subresource="status")
    assert [each["type"] for each in live["status"]["conditions"]] == ["Audited"]


def test_order_follows_the_applied_list_and_keeps_others_in_place() -> None:
    live = update(None, deployment(a={"image": "1"}, b={"image": "1"}, c={"image": "1"}))
    live = apply(live, deployment(c={"image": "1"}, a={"image": "1"}))
    names = [each["name"] for each in live["spec"]["template"]["spec"]["containers"]]
    assert names == ["c", "a", "b"]


def test_sets_merge_by_value() -> None:
    def with_finalizers(*finalizers: str) -> Object:
        obj = deployment()
        obj["metadata"]["finalizers"] = list(finalizers)
        del obj["spec"]
        return obj

    live = apply(None, with_finalizers("a", "b"))
    live = apply(live, with_finalizers("c"), "two")
    live = apply(live, with_finalizers("b"))
    assert live["metadata"]["finalizers"] == ["b", "c"]
    assert owned(live, "two") == ['.metadata.finalizers[="c"]']


def test_lists_without_keys_are_one_value() -> None:
    def with_args(*args: str) -> Object:
        return deployment(web={"args": list(args)})

    live = apply(None, with_args("a", "b"))
    with pytest.raises(ApplyConflictError, match=r"\[name=\"web\"\]\.args"):
        apply(live, with_args("a"), "two")
    live = apply(live, with_args("a"), "two", force=True)
    assert live["spec"]["template"]["spec"]["containers"][0]["args"] == ["a"]


def test_duplicate_keys_are_refused() -> None:
    applied = deployment(web={"image": "w"})
    applied["spec"]["template"]["spec"]["containers"] *= 2
    with pytest.raises(InvalidError, match=r'containers: duplicate entries for key \[name="web"\]'):
        apply(None, applied)


def test_applied_managed_fields_are_refused() -> None:
    live = apply(None, deployment(replicas=1))
    with pytest.raises(InvalidError, match=r"metadata\.managedFields must be nil"):
        apply(live, live)


def test_custom_resources_without_a_schema_are_owned_field_by_field() -> None:
    schema = Schema(None)
    applied = {
        "apiVersion": "x/v1",
        "kind": "X",
        "metadata": {"name": "x"},
        "spec": {"a": {"b": 1, "c": [1, 2]}},
    }
    live = apply(None, applied, schema=schema)
    assert owned(live, "one") == [".spec", ".spec.a", ".spec.a.b", ".spec.a.c"]
    second = copy.deepcopy(applied)
    second["spec"] = {"a": {"d": 1}}
    live = apply(live, second, "two", schema=schema)
    assert live["spec"] == {"a": {"b": 1, "c": [1, 2], "d": 1}}
