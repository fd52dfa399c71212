"""What is worth an Event: the difference between two statuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import LATEST_DEPLOYMENT_READY, READY, condition_of
from rouse.compiler.compiled import Event

__all__ = ["make_events", "readiness"]


def make_events(name: str, before: Mapping[str, Any], after: Object) -> tuple[Event, ...]:
    """Return the events of the step from one status of the service ``name`` to the next."""
    ready = readiness("InferenceService", name, before, after)
    return (*ready, *_failure(before, after), *_rollout(before, after))


def readiness(kind: str, name: str, before: Mapping[str, Any], after: Object) -> Iterator[Event]:
    """Tell that an object became ready, or is ready no more."""
    was = condition_of({"status": before}, READY).get("status")
    ready = condition_of({"status": after}, READY)
    if ready["status"] == "True" and was != "True":
        yield Event("Normal", f"{kind}Ready", f"{kind} {name} is ready")
    elif ready["status"] == "False" and was == "True":
        message = f"{kind} {name} is not ready any more: {ready.get('message', '')}"
        yield Event("Warning", f"{kind}NotReady", message)


def _failure(before: Mapping[str, Any], after: Object) -> Iterator[Event]:
    """Tell of a failure when it is new, or another one."""
    latest = condition_of({"status": after}, LATEST_DEPLOYMENT_READY)
    if latest.get("status") != "False":
        return
    was = condition_of({"status": before}, LATEST_DEPLOYMENT_READY)
    if (was.get("status"), was.get("message")) != ("False", latest.get("message")):
        yield Event("Warning", latest["reason"], latest.get("message", ""))


def _rollout(before: Mapping[str, Any], after: Object) -> Iterator[Event]:
    old, new = _shares(before), _shares(after)
    if not new or new == old:
        return
    split = ", ".join(f"{revision} {percent} %" for revision, percent in new.items())
    reason = "TrafficSplit" if len(new) > len(after["components"]) else "RolledOut"
    yield Event("Normal", reason, f"requests go to: {split}")


def _shares(status: Mapping[str, Any]) -> dict[str, int]:
    shares: dict[str, int] = {}
    for component in (status.get("components") or {}).values():
        for target in component.get("traffic") or ():
            if target.get("percent"):
                revision = target["revisionName"]
                shares[revision] = shares.get(revision, 0) + target["percent"]
    return shares
