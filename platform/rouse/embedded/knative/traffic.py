"""A route's targets resolved to revisions, as far as those are ready. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rouse.embedded.knative.conditions import FALSE, is_true, status_of
from rouse.kube.objects import Object

__all__ = ["BY_REFERENCE", "Resolution", "Target", "referenced", "resolve", "targets_of_status"]

BY_REFERENCE: Final = "refers to"
"""Index of the routes' informer by `referenced`."""


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
    route: Object,
    configuration: Callable[[str], Object | None],
    revision: Callable[[str], Object | None],
) -> Resolution:
    """Resolve every target, or none: a half of a split is no split.

    ``configuration`` and ``revision`` look up those of the route's namespace by name.
    """
    targets: list[Target] = []
    for wanted in route["spec"].get("traffic") or ():
        named = wanted.get("revisionName", "")
        if named:
            name, problem, failed = named, *_named(named, revision(named))
        else:
            found = configuration(wanted.get("configurationName", ""))
            name, problem, failed = _latest(wanted, found)
        if problem:
            status = FALSE if failed else "Unknown"
            return Resolution(None, status, "RevisionMissing", problem)
        percent = int(wanted.get("percent") or 0)
        targets.append(Target(name, percent, wanted.get("tag", ""), not named))
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


def _named(name: str, revision: Object | None) -> tuple[str, bool]:
    """(why a revision cannot be sent requests, whether that is for good)."""
    if revision is None:
        return f'Revision "{name}" referenced in traffic not found.', True
    if is_true(revision):
        return "", False
    conditions = (revision.get("status") or {}).get("conditions") or ()
    state, reason, message = status_of(conditions)
    detail = f" {reason}: {message}" if reason or message else ""
    return f'Revision "{name}" referenced in traffic is not ready.{detail}', state == FALSE


def targets_of_status(route: Mapping[str, Any]) -> tuple[Target, ...]:
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


def referenced(route: Mapping[str, Any]) -> set[str]:
    """Names of the revisions and configurations that a route serves or asks for."""
    asked = route["spec"].get("traffic") or ()
    names = {one.get(field) for one in asked for field in ("revisionName", "configurationName")}
    return {name for name in names if name} | {one.revision for one in targets_of_status(route)}
