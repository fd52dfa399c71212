"""Whose reconcile a change asks for."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from rouse.controllers.inferenceservice.triggers import (
    connect_triggers,
    follows_runtimes,
    owner_of,
)
from rouse.controllers.writing.ownership import NotOwnedError, check_owner
from rouse.errors import ConflictError
from rouse.kube import Key
from rouse.kube.client import EventType
from rouse.kube.objects import Object

SERVICE: Object = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "iris", "namespace": "a", "uid": "1"},
}


def obj(owner: Object | None = None, **metadata: Any) -> Object:
    references = [{"controller": True, **owner}] if owner else []
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x", "namespace": "a", "ownerReferences": references, **metadata},
    }


@pytest.mark.parametrize(
    ("found", "key"),
    [
        (obj({"kind": "InferenceService", "name": "iris"}), Key("a", "iris")),
        (
            obj(
                {"kind": "Configuration", "name": "iris-predictor"},
                labels={"serving.kserve.io/inferenceservice": "iris"},
            ),
            Key("a", "iris"),
        ),
        (obj({"kind": "Route", "name": "r"}), None),
        (obj(), None),
    ],
)
def test_owner_of(found: Object, key: Key | None) -> None:
    assert owner_of(found) == key


def test_auto_update_can_be_turned_off() -> None:
    off = {"serving.kserve.io/disable-auto-update": "true"}
    assert follows_runtimes(SERVICE)
    assert not follows_runtimes({"metadata": {"annotations": off}})


OURS = {"kind": "InferenceService", "name": "iris", "uid": "1"}


def test_ours_and_absent_may_be_written() -> None:
    check_owner(SERVICE, obj(OURS), None)
    check_owner(SERVICE, obj(OURS), obj(OURS))


def test_what_all_share_is_written_over_only_where_rouse_made_it() -> None:
    check_owner(SERVICE, obj(), None)
    check_owner(SERVICE, obj(), obj(labels={"app.kubernetes.io/managed-by": "rouse"}))
    with pytest.raises(NotOwnedError, match="was made by someone else; delete or rename it"):
        check_owner(SERVICE, obj(), obj())


@pytest.mark.parametrize(
    ("live", "error", "message"),
    [
        (obj(), NotOwnedError, "was made by someone else"),
        (obj({"kind": "Route", "name": "r", "uid": "1x"}), NotOwnedError, "belongs to Route r"),
        (obj({**OURS, "name": "other", "uid": "2"}), NotOwnedError, "InferenceService other"),
        (obj({**OURS, "uid": "0"}), ConflictError, "of the deleted InferenceService iris"),
        (obj(OURS, deletionTimestamp="now"), ConflictError, "still being deleted"),
    ],
)
def test_others_may_not(live: Object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_owner(SERVICE, obj(OURS), live)


class Copies:
    """Stands for an informer: what changes is told by hand."""

    def __init__(self) -> None:
        self.handlers: list[Callable[[str, Object], None]] = []
        self.change_handlers: list[Callable[[str, Object, Object | None], None]] = []

    def add_handler(self, handler: Callable[[str, Object], None]) -> None:
        self.handlers.append(handler)

    def add_change_handler(self, handler: Callable[[str, Object, Object | None], None]) -> None:
        self.change_handlers.append(handler)

    def tell(self, obj: Object, before: Object | None = None, type_: str = "MODIFIED") -> None:
        for handler in self.handlers:
            handler(type_, obj)
        for change_handler in self.change_handlers:
            change_handler(type_, obj, before)


def sources_of(**copies: Copies) -> Any:
    others = Copies()
    names = (
        "services",
        "revisions",
        "pods",
        "runtimes",
        "cluster_runtimes",
        "config",
        "kserve_config",
        "policies",
        "storage_containers",
    )
    deployments = copies.pop("deployments", others)
    return SimpleNamespace(
        **{**dict.fromkeys(names, others), **copies}, owned={"deployments": deployments}
    )


def test_knatives_own_deployments_ask_for_no_reconcile() -> None:
    deployments = Copies()
    sources = sources_of(deployments=deployments)
    asked: list[Key] = []
    connect_triggers(sources, asked.append)
    labels = {"serving.kserve.io/inferenceservice": "iris"}
    deployments.tell(obj({"kind": "Revision", "name": "iris-predictor-00001"}, labels=labels))
    assert asked == []
    deployments.tell(obj({"kind": "InferenceService", "name": "iris"}, labels=labels))
    deployments.tell(obj(labels=labels))
    assert asked == [Key("a", "iris"), Key("a", "iris")]


def pod(*, ready: bool = False, reason: str = "", ip: str = "") -> Object:
    state = {"waiting": {"reason": reason}} if reason else {"running": {}}
    ended = {"terminated": {"exitCode": 1, "message": "no model"}} if reason else {}
    container = {"name": "kserve-container", "state": state, "lastState": ended}
    status = {
        "phase": "Running",
        "podIP": ip,
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [container],
    }
    labels = {"serving.kserve.io/inferenceservice": "iris"}
    return {**obj(labels=labels), "kind": "Pod", "status": status}


@pytest.mark.parametrize(
    ("type_", "before", "after", "asks"),
    [
        ("ADDED", None, pod(), False),
        ("MODIFIED", pod(), pod(ip="10.0.0.1"), False),
        ("MODIFIED", pod(), pod(ready=True), True),
        ("MODIFIED", pod(), pod(reason="CrashLoopBackOff"), True),
        ("MODIFIED", pod(reason="CrashLoopBackOff"), pod(reason="CrashLoopBackOff"), False),
        ("DELETED", None, pod(ready=True), True),
        ("DELETED", None, pod(), False),
    ],
)
def test_a_pod_asks_when_it_begins_or_ceases_to_serve_or_fails(
    type_: str, before: Object | None, after: Object, asks: bool
) -> None:
    pods = Copies()
    asked: list[Key] = []
    connect_triggers(sources_of(pods=pods), asked.append)
    pods.tell(after, before, EventType(type_))
    assert asked == ([Key("a", "iris")] if asks else [])
