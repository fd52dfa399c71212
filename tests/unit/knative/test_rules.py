"""Small pure rules: garbage, settings, failures and hosts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rouse.embedded.knative.failures import failure_of, start_problem
from rouse.embedded.knative.gc import expired
from rouse.embedded.knative.hosts import revision_of_host
from rouse.embedded.knative.settings import GcConfig, parse_settings
from rouse.errors import ValidationError
from rouse.kube.objects import Key, Object
from tests.unit.knative.harness import ContainerState, Ended, PodState

NOW = datetime(2026, 11, 21, tzinfo=UTC)
OLD = (NOW - timedelta(days=9)).isoformat()


def old_revision(generation: int, created: str = OLD, active: str = "False") -> Object:
    return {
        "metadata": {
            "name": f"r{generation}",
            "labels": {"serving.knative.dev/configurationGeneration": str(generation)},
            "creationTimestamp": created,
        },
        "status": {"conditions": [{"type": "Active", "status": active, "lastTransitionTime": OLD}]},
    }


@pytest.mark.parametrize(
    ("count", "config", "gone"),
    [
        (5, GcConfig(min_non_active=20), []),
        (5, GcConfig(min_non_active=2), ["r1", "r2"]),
        (5, GcConfig(min_non_active=2, retain_since_create_s=30 * 86400.0), []),
        (5, GcConfig(None, None, min_non_active=0), []),
        (5, GcConfig(None, None, min_non_active=0, max_non_active=3), ["r1"]),
    ],
)
def test_old_revisions_go_when_there_are_enough(
    count: int, config: GcConfig, gone: list[str]
) -> None:
    revisions = [old_revision(index) for index in range(1, count + 1)]
    assert expired(revisions, {"r5"}, config, NOW) == gone


def test_young_and_awake_revisions_stay() -> None:
    revisions = [
        old_revision(1, created=NOW.isoformat()),
        old_revision(2, active="True"),
        old_revision(3),
    ]
    assert expired(revisions, (), GcConfig(min_non_active=0), NOW) == ["r3"]


def test_settings() -> None:
    settings = parse_settings(
        {
            "config-autoscaler": {"stable-window": "10s"},
            "config-domain": {"_example": "x", "example.org": "", "beta.org": "selector: {}"},
            "config-defaults": {"revision-timeout-seconds": "20"},
            "config-deployment": {"progress-deadline": "5m"},
            "config-gc": {"min-non-active-revisions": "3", "max-non-active-revisions": "disabled"},
        }
    )
    assert settings.autoscaler.stable_window_s == 10
    assert settings.autoscaler.target_burst_capacity == 0  # one machine's default
    assert settings.domain == "example.org"
    assert (settings.defaults.timeout_s, settings.defaults.progress_deadline_s) == (20, 300)
    assert (settings.gc.min_non_active, settings.gc.max_non_active) == (3, None)


def test_upstreams_burst_capacity_is_honoured() -> None:
    settings = parse_settings({"config-autoscaler": {"target-burst-capacity": "211"}})
    assert settings.autoscaler.target_burst_capacity == 211


def test_no_settings_are_the_defaults() -> None:
    assert parse_settings({}).domain == "localhost"


@pytest.mark.parametrize(
    ("name", "data", "path"),
    [
        ("config-defaults", {"revision-timeout-seconds": "soon"}, "revision-timeout-seconds"),
        ("config-gc", {"min-non-active-revisions": "-1"}, "min-non-active-revisions"),
        ("config-autoscaler", {"stable-window": "1s"}, "stable-window"),
    ],
)
def test_bad_settings_name_their_key(name: str, data: dict[str, str], path: str) -> None:
    with pytest.raises(ValidationError, match=f'"{name}" is invalid: data\\[{path}\\]'):
        parse_settings({name: data})


CRASHED = (ContainerState(last=Ended(3, message="bye")),)


@pytest.mark.parametrize(
    ("state", "problem", "given_up"),
    [
        (PodState("n", "p"), None, False),
        (PodState("n", "p", ready=True, containers=CRASHED), None, False),
        (
            PodState("n", "p", reason="CrashLoopBackOff", crashes=2, containers=CRASHED),
            ("ExitCode3", "bye"),
            False,
        ),
        (
            PodState("n", "p", reason="CrashLoopBackOff", crashes=3, containers=CRASHED),
            ("ExitCode3", "bye"),
            True,
        ),
        (
            PodState(
                "n",
                "p",
                reason="CrashLoopBackOff",
                restarts=7,
                crashes=1,
                containers=CRASHED,
            ),
            ("ExitCode3", "bye"),
            False,
        ),
        (
            PodState(
                "n", "p", containers=(ContainerState(last=Ended(137)),), log_tail=("all is well",)
            ),
            (
                "ExitCode137",
                "all is well\nthe process was ended by SIGKILL (kill -9, or out of memory)",
            ),
            False,
        ),
        (PodState("n", "p", restarts=1, containers=CRASHED), ("ExitCode3", "bye"), False),
        (
            PodState("n", "p", restarts=1, containers=CRASHED, log_tail=("a", "b")),
            ("ExitCode3", "a\nb"),
            False,
        ),
        (
            PodState(
                "n",
                "p",
                containers=CRASHED,
                log_tail=('{"time":"08:54","level":"error","message":"no"}', '{"a":1}', "{x"),
            ),
            ("ExitCode3", 'no\n{"a":1}\n{x'),
            False,
        ),
        (
            PodState("n", "p", reason="CreateContainerConfigError", message="no such claim"),
            ("CreateContainerConfigError", "no such claim"),
            True,
        ),
        (PodState("n", "p", phase="Failed", message="evicted"), ("Failed", "evicted"), True),
        (PodState("n", "p", containers=(ContainerState(ended=Ended(0)),)), None, False),
    ],
)
def test_failures(state: PodState, problem: tuple[str, str] | None, given_up: bool) -> None:
    found = start_problem(state)
    assert (None if found is None else (found.reason, found.message)) == problem
    assert (failure_of(state) is not None) is given_up


ROUTE = {
    "spec": {},
    "status": {
        "traffic": [
            {"revisionName": "iris-00001", "percent": 20},
            {"revisionName": "iris-00002", "percent": 80},
        ]
    },
}


@pytest.mark.parametrize(
    ("host", "revision"),
    [
        ("iris-00001.default.svc.cluster.local", "iris-00001"),
        ("iris.default.localhost", "iris-00002"),
        ("other.default.localhost", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_hosts(host: str, revision: str | None) -> None:
    found = revision_of_host(
        host,
        revision=lambda key: {} if key.name == "iris-00001" else None,
        route=lambda key: ROUTE if key.name == "iris" else None,
    )
    assert found == (Key("default", revision) if revision else None)
