"""Who owns what an update changes, and how client-side apply passes into server-side apply."""

from __future__ import annotations

import copy

import pytest

from rouse.embedded.apiserver.managedfields import ApplyConflictError
from rouse.embedded.apiserver.schema import Schema
from tests.unit.apiserver.managed import Object, apply, bare, deployment, owned, update

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def test_an_update_takes_what_it_changes() -> None:
    live = apply(None, deployment(replicas=2, web={"image": "w"}))
    changed = copy.deepcopy(live)
    changed["spec"]["replicas"] = 5
    changed["metadata"]["annotations"] = {"note": "x"}
    live = update(live, changed, "kubectl-edit", now="2026-02-02T00:00:00Z")
    assert owned(live, "kubectl-edit", "Update") == [
        ".metadata.annotations",
        ".metadata.annotations.note",
        ".spec.replicas",
    ]
    assert ".spec.replicas" not in owned(live, "one")
    assert live["metadata"]["managedFields"][1]["time"] == "2026-02-02T00:00:00Z"


def test_what_an_update_removes_is_nobodys() -> None:
    live = apply(None, deployment(replicas=2, web={"image": "w"}))
    changed = copy.deepcopy(live)
    del changed["spec"]["replicas"]
    live = update(live, changed)
    assert ".spec.replicas" not in owned(live, "one")
    assert owned(live, "writer", "Update") == []


def test_an_update_of_nothing_changes_nothing() -> None:
    live = update(None, deployment(replicas=2))
    again = copy.deepcopy(live)
    again["metadata"]["resourceVersion"] = "7"
    assert update(live, again, "another", now="2027-01-01T00:00:00Z") == again


def test_managed_fields_that_a_client_leaves_out_are_kept() -> None:
    live = update(None, deployment(replicas=2))
    assert update(live, bare(live)) == live


def test_a_client_may_edit_and_clear_managed_fields() -> None:
    live = update(None, deployment(replicas=2), "kubectl-client-side-apply")
    edited = copy.deepcopy(live)
    edited["metadata"]["managedFields"][0].update(manager="kubectl", operation="Apply")
    live = update(live, edited)
    assert owned(live, "kubectl") == [".spec", ".spec.replicas"]
    cleared = copy.deepcopy(live)
    cleared["metadata"]["managedFields"] = [{}]
    assert "managedFields" not in update(live, cleared)["metadata"]


def test_identity_and_the_servers_records_have_no_owner() -> None:
    obj = deployment(replicas=1)
    obj["metadata"].update(uid="u", generation=3, resourceVersion="9", creationTimestamp="now")
    live = update(None, obj)
    assert owned(live, "writer", "Update") == [".spec", ".spec.replicas"]


def test_what_was_there_before_anyone_was_recorded_is_defended() -> None:
    live = deployment(replicas=2)
    with pytest.raises(ApplyConflictError, match="before-first-apply"):
        apply(live, deployment(replicas=3))


def test_a_value_that_changes_its_kind_takes_its_fields_with_it() -> None:
    schema = Schema(None)
    before = {"metadata": {"name": "x"}, "spec": {"a": {"b": 1}}}
    live = update(None, before, "first", schema=schema)
    changed = {**live, "spec": {"a": "text"}}
    live = update(live, changed, "second", schema=schema)
    assert owned(live, "second", "Update") == [".spec.a"]
    assert owned(live, "first", "Update") == [".spec"]


def _client_side(replicas: int) -> Object:
    obj = deployment(replicas=replicas)
    obj["metadata"]["annotations"] = {
        LAST_APPLIED: f'{{"apiVersion":"apps/v1","spec":{{"replicas":{replicas}}}}}\n'
    }
    return update(None, obj, "kubectl-client-side-apply")


def test_kubectl_passes_from_client_side_to_server_side_apply() -> None:
    live = _client_side(2)
    with pytest.raises(ApplyConflictError, match="kubectl-client-side-apply"):
        apply(live, deployment(replicas=3), "someone")
    live = apply(live, deployment(replicas=3), "kubectl")
    assert live["spec"]["replicas"] == 3
    assert '"replicas":3' in live["metadata"]["annotations"][LAST_APPLIED]


def test_what_client_side_apply_never_set_is_still_a_conflict() -> None:
    live = _client_side(2)
    changed = copy.deepcopy(live)
    changed["spec"]["paused"] = True
    live = update(live, changed, "someone")
    applied = deployment(replicas=2)
    applied["spec"]["paused"] = False
    with pytest.raises(ApplyConflictError, match=r'"someone" using apps/v1: \.spec\.paused'):
        apply(live, applied, "kubectl")
