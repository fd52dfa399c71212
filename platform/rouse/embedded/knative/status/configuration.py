"""The status of a Configuration and of a Knative Service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rouse.embedded.knative.conditions import FALSE, TRUE, UNKNOWN, Conditions, is_true, status_of
from rouse.kube.objects import Object

__all__ = ["configuration_status", "invalid_configuration_status", "service_status"]

REVISION_FAILED: Final = "RevisionFailed"
TRAFFIC_NOT_MIGRATED: Final = "TrafficNotMigrated"


def configuration_status(
    configuration: Object, created: Object, revisions: Sequence[Object], *, now: str
) -> Object:
    """``created`` is the revision of the present template, ``revisions`` all of them, any order."""
    before = configuration.get("status") or {}
    name = created["metadata"]["name"]
    conditions = Conditions(before.get("conditions") or (), parts=("RevisionReady",), now=now)
    status, reason, message = status_of((created.get("status") or {}).get("conditions") or ())
    if status == FALSE:
        conditions.mark(
            "RevisionReady",
            FALSE,
            REVISION_FAILED,
            f'Revision "{name}" failed with message: {(message or reason).rstrip(".")}.',
        )
    elif is_true(created):
        conditions.mark("RevisionReady", TRUE)
    else:
        conditions.mark("RevisionReady", UNKNOWN, reason, message)
    rendered = [one for one in conditions.render() if one["type"] == "Ready"]
    result: Object = {
        "observedGeneration": configuration["metadata"].get("generation", 1),
        "conditions": rendered,
        "latestCreatedRevisionName": name,
    }
    latest = _latest_ready(before.get("latestReadyRevisionName"), revisions)
    if latest:
        result["latestReadyRevisionName"] = latest
    return result


def _latest_ready(before: str | None, revisions: Sequence[Object]) -> str | None:
    """The newest ready revision; one that was ready before counts while it exists."""
    candidates = [one for one in revisions if is_true(one) or one["metadata"]["name"] == before]
    newest = max(candidates, key=_generation, default=None)
    return newest["metadata"]["name"] if newest else None


def _generation(revision: Object) -> tuple[int, str]:
    labels = revision["metadata"].get("labels") or {}
    generation = int(labels.get("serving.knative.dev/configurationGeneration", 0))
    return generation, revision["metadata"].get("creationTimestamp", "")


def invalid_configuration_status(configuration: Object, why: str, *, now: str) -> Object:
    """The status of a Configuration no Revision can be made of; what was ready stays so."""
    before = configuration.get("status") or {}
    conditions = Conditions(before.get("conditions") or (), parts=("RevisionReady",), now=now)
    conditions.mark("RevisionReady", FALSE, REVISION_FAILED, why)
    return {
        **before,
        "observedGeneration": configuration["metadata"].get("generation", 1),
        "conditions": [one for one in conditions.render() if one["type"] == "Ready"],
    }


def service_status(
    service: Object, configuration: Object | None, route: Object | None, *, now: str
) -> Object:
    """What the Service's Configuration and Route say, together."""
    before = service.get("status") or {}
    conditions = Conditions(
        before.get("conditions") or (), parts=("ConfigurationsReady", "RoutesReady"), now=now
    )
    status: Object = {"observedGeneration": service["metadata"].get("generation", 1)}
    _mark_from(conditions, "ConfigurationsReady", configuration)
    _mark_from(conditions, "RoutesReady", route)
    of_configuration = (configuration or {}).get("status") or {}
    of_route = (route or {}).get("status") or {}
    for name in ("latestCreatedRevisionName", "latestReadyRevisionName"):
        if name in of_configuration:
            status[name] = of_configuration[name]
    for name in ("url", "address", "traffic"):
        if name in of_route:
            status[name] = of_route[name]
    if conditions.status("RoutesReady") == TRUE and _behind(of_configuration, of_route):
        message = "Traffic is not yet migrated to the latest revision."
        conditions.mark("RoutesReady", UNKNOWN, TRAFFIC_NOT_MIGRATED, message)
    status["conditions"] = conditions.render()
    return status


def _mark_from(conditions: Conditions, type_: str, child: Object | None) -> None:
    if child is None:
        conditions.mark(type_, UNKNOWN)
        return
    generation = child["metadata"].get("generation")
    status = child.get("status") or {}
    if generation is not None and status.get("observedGeneration") != generation:
        conditions.mark(type_, UNKNOWN, "OutOfDate", "The latest change is not yet reconciled.")
    else:
        conditions.mark(type_, *status_of(status.get("conditions") or ()))


def _behind(of_configuration: Object, of_route: Object) -> bool:
    """Whether a target that follows the latest revision still leads to an older one."""
    latest = of_configuration.get("latestReadyRevisionName")
    following = [one for one in of_route.get("traffic") or () if one.get("latestRevision")]
    return any(one.get("revisionName") != latest for one in following)
