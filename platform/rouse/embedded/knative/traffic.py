"""A route's targets resolved to revisions, as far as those are ready. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rouse.embedded.knative.conditions import FALSE, is_true, status_of
from rouse.kube.objects import Object

__all__ = ["Resolution", "Target", "referenced", "resolve", "targets_of_status"]


@dataclass(frozen=True, slots=True)
class Target:
    """A share of the traffic and where it goes. ``percent`` may be 0 for a mere tag."""

    revision: str
    percent: int
    tag: str = ""
    latest: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """The targets, or why they cannot be had: ``status`` False means it needs a change."""

    targets: tuple[Target, ...] | None
    status: str = ""
    reason: str = ""
    message: str = ""


def resolve(
    route: Object, configurations: Mapping[str, Object], revisions: Mapping[str, Object]
) -> Resolution:
    """Resolve every target, or none: a half of a split is no split.

    ``configurations`` and ``revisions`` are those of the route's namespace, by name.
    """
    targets: list[Target] = []
    for wanted in route["spec"].get("traffic") or ():
        problem = ""
        named = wanted.get("revisionName")
        if named:
            revision, problem = named, _problem_of_revision(named, revisions)
            failed = named not in revisions or _failed(revisions[named])
        else:
            configuration = configurations.get(wanted.get("configurationName", ""))
            revision, problem, failed = _latest(wanted, configuration)
        if problem:
            status = FALSE if failed else "Unknown"
            return Resolution(None, status, "RevisionMissing", problem)
        targets.append(
            Target(revision, int(wanted.get("percent") or 0), wanted.get("tag", ""), not named)
        )
    total = sum(target.percent for target in targets)
    if total != 100:
        return Resolution(
            None, FALSE, "InvalidTraffic", f"spec.traffic: percents must add up to 100, not {total}"
        )
    return Resolution(tuple(targets))


def _latest(wanted: Object, configuration: Object | None) -> tuple[str, str, bool]:
    """(latest ready revision, why there is none, whether that is for good)."""
    name = wanted.get("configurationName", "")
    if configuration is None:
        return "", f'Configuration "{name}" referenced in traffic not found.', True
    status = configuration.get("status") or {}
    ready = status.get("latestReadyRevisionName")
    if ready:
        return str(ready), "", False
    state, _, message = status_of(status.get("conditions") or ())
    if state == FALSE:
        return (
            "",
            f'Configuration "{name}" does not have any ready Revision. {message}'.strip(),
            True,
        )
    return "", f'Configuration "{name}" is waiting for a Revision to become ready.', False


def _problem_of_revision(name: str, revisions: Mapping[str, Object]) -> str:
    revision = revisions.get(name)
    if revision is None:
        return f'Revision "{name}" referenced in traffic not found.'
    if is_true(revision):
        return ""
    _, reason, message = status_of((revision.get("status") or {}).get("conditions") or ())
    detail = f" {reason}: {message}" if reason or message else ""
    return f'Revision "{name}" referenced in traffic is not ready.{detail}'


def _failed(revision: Object) -> bool:
    return status_of((revision.get("status") or {}).get("conditions") or ())[0] == FALSE


def targets_of_status(route: Object) -> tuple[Target, ...]:
    """The targets a route serves at present, by its status."""
    return tuple(
        Target(
            one["revisionName"],
            int(one.get("percent") or 0),
            one.get("tag", ""),
            bool(one.get("latestRevision")),
        )
        for one in (route.get("status") or {}).get("traffic") or ()
        if one.get("revisionName")
    )


def referenced(route: Object) -> set[str]:
    """Names of the revisions and configurations that a route serves or asks for."""
    asked = route["spec"].get("traffic") or ()
    names = {one.get(field) for one in asked for field in ("revisionName", "configurationName")}
    return {name for name in names if name} | {one.revision for one in targets_of_status(route)}
