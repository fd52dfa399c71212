"""What is observed, and the conditions that say so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rouse.autoscaler import Activity
from rouse.coldstart import ANNOTATION, Activation
from rouse.embedded.knative.conditions import Conditions, is_true
from rouse.embedded.knative.failures import Failure
from rouse.embedded.knative.make.deployment import make_pod_autoscaler
from rouse.embedded.knative.route import is_reachable
from rouse.embedded.knative.status.configuration import configuration_status, service_status
from rouse.embedded.knative.status.revision import (
    Observed,
    pod_autoscaler_status,
    revision_status,
)
from rouse.embedded.knative.status.route import route_status
from rouse.embedded.knative.traffic import Resolution, Target, resolve
from rouse.kube.objects import Object
from tests.unit.knative.test_make import configuration, revision, route, service, stored

NOW, LATER = "2026-11-21T08:00:00Z", "2026-11-21T09:00:00Z"
SERVING = Observed(Activity.ACTIVE, want=1, ready=1, initialized=True)
STARTING = Observed(Activity.ACTIVATING, want=1, ready=0, initialized=False)
ASLEEP = Observed(Activity.INACTIVE, want=0, ready=0, initialized=True)
CRASH = Failure("ExitCode1", "loading\nValueError: bad", 1)
NO_IMAGE = Failure("NoLocalCommand", "no command for image x")


def said(status: Object) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one.get("reason", "")) for one in status["conditions"]}


def with_status(obj: Object, status: Object) -> Object:
    return obj | {"status": status}


TRUE, DEPLOYING = ("True", ""), ("Unknown", "Deploying")
REVISIONS: list[tuple[str, Observed, dict[str, tuple[str, str]]]] = [
    (
        "starting",
        STARTING,
        {
            "ContainerHealthy": DEPLOYING,
            "ResourcesAvailable": DEPLOYING,
            "Active": ("Unknown", "Queued"),
            "Ready": DEPLOYING,
        },
    ),
    (
        "serving",
        SERVING,
        {"ContainerHealthy": TRUE, "ResourcesAvailable": TRUE, "Active": TRUE, "Ready": TRUE},
    ),
    (
        "its container exits",
        replace(STARTING, problem=CRASH),
        {
            "ContainerHealthy": ("False", "ExitCode1"),
            "ResourcesAvailable": ("Unknown", ""),
            "Active": ("Unknown", "Queued"),
            "Ready": ("False", "ExitCode1"),
        },
    ),
    (
        "its image is unknown",
        replace(STARTING, problem=NO_IMAGE),
        {
            "ContainerHealthy": ("Unknown", ""),
            "ResourcesAvailable": ("False", "NoLocalCommand"),
            "Active": ("Unknown", "Queued"),
            "Ready": ("False", "NoLocalCommand"),
        },
    ),
    (
        "never ready within the deadline",
        replace(STARTING, late=True),
        {
            "ContainerHealthy": ("Unknown", ""),
            "ResourcesAvailable": ("False", "ProgressDeadlineExceeded"),
            "Active": ("Unknown", "Queued"),
            "Ready": ("False", "ProgressDeadlineExceeded"),
        },
    ),
    (
        "given up",
        replace(ASLEEP, initialized=False, timed_out=True, late=True),
        {
            "ContainerHealthy": ("Unknown", ""),
            "ResourcesAvailable": ("False", "ProgressDeadlineExceeded"),
            "Active": ("False", "TimedOut"),
            "Ready": ("False", "ProgressDeadlineExceeded"),
        },
    ),
]


@pytest.mark.parametrize(
    ("seen", "wanted"), [row[1:] for row in REVISIONS], ids=[row[0] for row in REVISIONS]
)
def test_revision_conditions(seen: Observed, wanted: dict[str, tuple[str, str]]) -> None:
    assert said(revision_status(revision(), seen, now=NOW)) == wanted


def test_the_message_holds_the_log() -> None:
    status = revision_status(revision(), replace(STARTING, problem=CRASH), now=NOW)
    [healthy] = [one for one in status["conditions"] if one["type"] == "ContainerHealthy"]
    assert healthy["message"] == "Container failed with: loading\nValueError: bad"


def test_asleep_it_stays_ready() -> None:
    proven = with_status(revision(), revision_status(revision(), SERVING, now=NOW))
    status = revision_status(proven, ASLEEP, now=LATER)
    assert said(status)["Ready"] == TRUE
    assert said(status)["Active"] == ("False", "NoTraffic")
    since = {one["type"]: one["lastTransitionTime"] for one in status["conditions"]}
    assert (since["Ready"], since["Active"]) == (NOW, LATER)
    assert (status["actualReplicas"], status["desiredReplicas"]) == (0, 0)


def test_waking_it_stays_ready_and_one_crash_changes_nothing() -> None:
    proven = with_status(revision(), revision_status(revision(), SERVING, now=NOW))
    waking = replace(STARTING, initialized=True, problem=CRASH)
    assert said(revision_status(proven, waking, now=LATER))["Ready"] == TRUE


def test_a_crash_loop_is_told_even_of_one_that_was_proven() -> None:
    proven = with_status(revision(), revision_status(revision(), SERVING, now=NOW))
    looping = replace(STARTING, initialized=True, problem=CRASH, failure=CRASH)
    status = revision_status(proven, looping, now=LATER)
    assert said(status)["Ready"] == ("False", "ExitCode1")
    # Given up and at zero, the last word stands until it runs again.
    slept = revision_status(with_status(revision(), status), ASLEEP, now=LATER)
    assert said(slept)["Ready"] == ("False", "ExitCode1")
    again = revision_status(with_status(revision(), slept), SERVING, now=LATER)
    assert said(again)["Ready"] == TRUE


def test_what_was_wrong_stays_said_when_its_start_is_given_up() -> None:
    crashed = revision_status(revision(), replace(STARTING, problem=CRASH), now=NOW)
    gave_up = replace(ASLEEP, initialized=False, timed_out=True, late=True)
    status = revision_status(with_status(revision(), crashed), gave_up, now=LATER)
    assert said(status)["Ready"] == ("False", "ExitCode1")


def test_the_last_cold_start_is_kept() -> None:
    activation = Activation.measured(datetime(2026, 11, 21, tzinfo=UTC), 0.03, {"load": 0.01})
    status = revision_status(revision(), replace(SERVING, activation=activation), now=NOW)
    assert status["annotations"] == {ANNOTATION: activation.to_json()}
    later = revision_status(with_status(revision(), status), SERVING, now=LATER)
    assert later["annotations"] == status["annotations"]


def test_saying_the_same_twice_is_the_same() -> None:
    once = revision_status(revision(), SERVING, now=NOW)
    assert revision_status(with_status(revision(), once), SERVING, now=LATER) == once


def test_pod_autoscaler() -> None:
    autoscaler = stored(make_pod_autoscaler(revision()))
    starting = pod_autoscaler_status(autoscaler, replace(STARTING, want=None), now=NOW)
    assert (starting["desiredScale"], starting["actualScale"]) == (-1, 0)
    serving = pod_autoscaler_status(autoscaler, SERVING, now=NOW)
    assert said(serving) == {
        "Active": TRUE,
        "Ready": TRUE,
        "SKSReady": TRUE,
        "ScaleTargetInitialized": TRUE,
    }
    asleep = pod_autoscaler_status(with_status(autoscaler, serving), ASLEEP, now=LATER)
    assert said(asleep)["Ready"] == ("False", "NoTraffic")


def ready_revision(name: str = "iris-00001", generation: int = 1) -> Object:
    made = revision()
    made["metadata"]["name"] = name
    made["metadata"]["labels"]["serving.knative.dev/configurationGeneration"] = str(generation)
    return with_status(made, revision_status(made, SERVING, now=NOW))


def failed_revision(name: str, generation: int) -> Object:
    made = ready_revision(name, generation)
    fresh = {**made, "status": {}}
    return with_status(fresh, revision_status(fresh, replace(STARTING, problem=CRASH), now=NOW))


def test_configuration_waits_fails_and_is_ready() -> None:
    waiting = configuration_status(configuration(), revision(), [revision()], now=NOW)
    assert said(waiting) == {"Ready": ("Unknown", "")}
    assert "latestReadyRevisionName" not in waiting
    ready = configuration_status(configuration(), ready_revision(), [ready_revision()], now=NOW)
    assert said(ready) == {"Ready": TRUE}
    assert ready["latestReadyRevisionName"] == "iris-00001"
    failed = failed_revision("iris-00002", 2)
    status = configuration_status(
        with_status(configuration(), ready), failed, [ready_revision(), failed], now=LATER
    )
    assert said(status) == {"Ready": ("False", "RevisionFailed")}
    assert (status["latestCreatedRevisionName"], status["latestReadyRevisionName"]) == (
        "iris-00002",
        "iris-00001",
    )
    assert "ValueError: bad" in status["conditions"][0]["message"]


LATEST = {"configurationName": "iris", "latestRevision": True}


def resolved(traffic: list[Object], **ready: Any) -> Resolution:
    wanted = route() | {"spec": {"traffic": traffic}}
    parent = configuration()
    parent["status"] = ready
    revisions = [
        ready_revision(),
        failed_revision("iris-00002", 2),
        revision() | {"metadata": {"name": "iris-00003", "namespace": "default", "generation": 1}},
    ]
    by_name = {one["metadata"]["name"]: one for one in revisions}
    return resolve(wanted, {"iris": parent}.get, by_name.get)


def test_traffic_to_the_latest_ready_revision() -> None:
    resolution = resolved([LATEST | {"percent": 100}], latestReadyRevisionName="iris-00001")
    assert resolution.targets == (Target("iris-00001", 100, latest=True),)


def test_traffic_split() -> None:
    resolution = resolved(
        [LATEST | {"percent": 0, "tag": "latest"}, {"revisionName": "iris-00001", "percent": 100}],
        latestReadyRevisionName="iris-00001",
    )
    assert resolution.targets == (
        Target("iris-00001", 0, "latest", latest=True),
        Target("iris-00001", 100),
    )


FAILED = [{"type": "Ready", "status": "False", "reason": "RevisionFailed", "message": "boom"}]


@pytest.mark.parametrize(
    ("traffic", "ready", "status", "reason", "message"),
    [
        (
            [LATEST | {"percent": 100}],
            {},
            "Unknown",
            "RevisionMissing",
            "is waiting for a Revision",
        ),
        (
            [LATEST | {"percent": 100}],
            {"conditions": FAILED},
            "False",
            "RevisionMissing",
            "does not have any ready Revision. boom",
        ),
        (
            [{"revisionName": "nowhere", "percent": 100}],
            {},
            "False",
            "RevisionMissing",
            'Revision "nowhere" referenced in traffic not found.',
        ),
        (
            [{"revisionName": "iris-00002", "percent": 100}],
            {},
            "False",
            "RevisionMissing",
            "is not ready. ExitCode1: Container failed with",
        ),
        (
            [{"revisionName": "iris-00003", "percent": 100}],
            {},
            "Unknown",
            "RevisionMissing",
            "is not ready.",
        ),
        (
            [{"configurationName": "other", "percent": 100}],
            {},
            "False",
            "RevisionMissing",
            'Configuration "other" referenced in traffic not found.',
        ),
        (
            [{"revisionName": "iris-00001", "percent": 90}],
            {},
            "False",
            "InvalidTraffic",
            "must add up to 100, not 90",
        ),
    ],
)
def test_traffic_that_cannot_be_resolved(
    traffic: list[Object], ready: dict[str, Any], status: str, reason: str, message: str
) -> None:
    resolution = resolved(traffic, **ready)
    assert resolution.targets is None
    assert (resolution.status, resolution.reason) == (status, reason)
    assert message in resolution.message


def routed(generation: int = 1, state: str = "True") -> Object:
    """A VirtualService of that generation, with what the mesh said of the first."""
    told = {"type": "Reconciled", "status": state}
    if state == "False":
        told["reason"] = "Refused"
    return {
        "metadata": {"generation": generation},
        "status": {"observedGeneration": 1, "conditions": [told]},
    }


SERVED = (Target("iris-00001", 100, "latest", latest=True),)


def test_route() -> None:
    status = route_status(
        route(), Resolution(SERVED), SERVED, virtual_service=routed(), domain="localhost", now=NOW
    )
    assert said(status)["Ready"] == TRUE
    assert status["url"] == "http://iris.default.localhost"
    assert status["address"] == {"url": "http://iris.default.svc.cluster.local"}
    assert status["traffic"] == [
        {
            "revisionName": "iris-00001",
            "latestRevision": True,
            "percent": 100,
            "tag": "latest",
            "url": "http://latest-iris.default.localhost",
        }
    ]


@pytest.mark.parametrize(
    ("virtual_service", "ready"),
    [
        (None, ("Unknown", "Uninitialized")),
        ({"metadata": {"generation": 1}}, ("Unknown", "Uninitialized")),
        (routed(2), ("Unknown", "Uninitialized")),  # it speaks of a former generation
        (routed(), TRUE),
        (routed(state="False"), ("False", "Refused")),
    ],
)
def test_route_is_ready_only_when_the_gateway_follows_it(
    virtual_service: Object | None, ready: tuple[str, str]
) -> None:
    status = route_status(
        route(),
        Resolution(SERVED),
        SERVED,
        virtual_service=virtual_service,
        domain="localhost",
        now=NOW,
    )
    assert said(status)["Ready"] == ready


def test_route_keeps_serving_what_it_served() -> None:
    missing = Resolution(None, "False", "RevisionMissing", "not found")
    status = route_status(
        route(), missing, SERVED, virtual_service=routed(), domain="localhost", now=NOW
    )
    assert said(status)["Ready"] == ("False", "RevisionMissing")
    assert status["traffic"][0]["revisionName"] == "iris-00001"


def ready_route() -> Object:
    status = route_status(
        route(), Resolution(SERVED), SERVED, virtual_service=routed(), domain="localhost", now=NOW
    )
    return with_status(route(), status)


def ready_configuration() -> Object:
    status = configuration_status(configuration(), ready_revision(), [ready_revision()], now=NOW)
    return with_status(configuration(), status)


def test_service_is_what_its_children_say() -> None:
    status = service_status(service(), ready_configuration(), ready_route(), now=NOW)
    assert set(said(status).values()) == {TRUE}
    assert status["latestReadyRevisionName"] == "iris-00001"
    assert status["url"] == "http://iris.default.localhost"


def test_service_without_children_yet() -> None:
    assert said(service_status(service(), None, None, now=NOW))["Ready"] == ("Unknown", "")


def test_service_does_not_trust_what_is_out_of_date() -> None:
    changed = ready_configuration()
    changed["metadata"]["generation"] = 2
    status = service_status(service(), changed, ready_route(), now=NOW)
    assert said(status)["ConfigurationsReady"] == ("Unknown", "OutOfDate")


def test_service_waits_for_the_traffic() -> None:
    ahead = ready_configuration()
    ahead["status"]["latestReadyRevisionName"] = "iris-00002"
    status = service_status(service(), ahead, ready_route(), now=NOW)
    assert said(status)["RoutesReady"] == ("Unknown", "TrafficNotMigrated")


def test_conditions_move_their_time_only_with_their_status() -> None:
    before = Conditions((), parts=("A",), now=NOW)
    before.mark("A", "Unknown", "One")
    after = Conditions(before.render(), parts=("A",), now=LATER)
    after.mark("A", "Unknown", "Two")
    assert {one["lastTransitionTime"] for one in after.render()} == {NOW}
    after.mark("A", "True")
    assert {one["lastTransitionTime"] for one in after.render()} == {LATER}


def test_is_true_only_of_the_present_generation() -> None:
    assert is_true(ready_revision())
    changed = ready_revision()
    changed["metadata"]["generation"] = 2
    assert not is_true(changed)


@pytest.mark.parametrize(
    ("generation", "created", "leads_to", "reachable"),
    [
        (1, "iris-00001", (), True),  # the newest waits for its route
        (2, "iris-00001", (), True),  # ... and so does what was created last
        (2, "iris-00002", (), False),
        (2, "iris-00002", ("iris-00001",), True),
        (2, "iris-00002", ("iris-00002",), False),
        (1, "", (), True),
    ],
)
def test_what_is_reachable(
    generation: int, created: str, leads_to: tuple[str, ...], reachable: bool
) -> None:
    parent = configuration()
    parent["metadata"]["generation"] = generation
    parent["status"] = {"latestCreatedRevisionName": created} if created else {}
    routes = [{"spec": {"traffic": [{"revisionName": name}]}} for name in leads_to]
    assert is_reachable(revision(), routes, parent) is reachable


def test_without_its_configuration_a_revision_counts_as_reachable() -> None:
    assert is_reachable(revision(), [], None)
