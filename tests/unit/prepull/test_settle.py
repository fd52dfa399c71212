"""When a pool's images may change: a table of what is there, what is wanted, and how long ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from rouse.compiler.config import Config
from rouse.controllers.prepull.daemonset import CHANGED, make_daemon_set
from rouse.controllers.prepull.settle import Settled, settle
from rouse.errors import ConfigError
from rouse.kube.objects import Object

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
A, B, C = "repo/a", "repo/b", "repo/c"


@dataclass(frozen=True)
class Case:
    live: tuple[str, ...] | None
    wanted: tuple[str, ...]
    images: tuple[str, ...]
    age_s: float = 100.0
    rest_s: float = 0.0
    urgent: tuple[str, ...] = ()
    settle_s: float = 300.0
    changes: bool = False


CASES = {
    "the first images go at once": Case(None, (A,), (A,), changes=True),
    "what is there stays as it is": Case((A, B), (A, B), (A, B)),
    "another one waits": Case((A,), (A, B), (A,), rest_s=200),
    "one that is needed no more waits": Case((A, B), (A,), (A, B), rest_s=200),
    "another order waits": Case((A, B), (B, A), (A, B), rest_s=200),
    "when nothing is needed any more, that waits": Case((A,), (), (A,), rest_s=200),
    "after the time all of it comes": Case((A,), (B, C), (B, C), age_s=300, changes=True),
    "after the time the DaemonSet goes": Case((A,), (), (), age_s=301, changes=True),
    "a roll-out's image is not waited with": Case((A,), (A, B), (A, B), urgent=(B,), changes=True),
    "it takes others along": Case((A,), (B, C), (B, C), urgent=(B,), changes=True),
    "a roll-out's image that is there hurries nothing": Case(
        (A,), (A, B), (A,), urgent=(A,), rest_s=200
    ),
    "a roll-out's image that is not chosen hurries nothing": Case(
        (A,), (A, B), (A,), urgent=(C,), rest_s=200
    ),
    "a clock that was set back": Case((A,), (B,), (A,), age_s=-4000, rest_s=300),
    "no time to settle": Case((A,), (B,), (B,), age_s=0, settle_s=0, changes=True),
}


def daemon_set(images: tuple[str, ...], changed: datetime) -> Object:
    return make_daemon_set("", images, Config(), {}, changed)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_settling(case: Case) -> None:
    changed = NOW - timedelta(seconds=case.age_s)
    live = daemon_set(case.live, changed) if case.live is not None else None
    found = settle(live, case.wanted, case.urgent, NOW, case.settle_s)
    assert found == Settled(case.images, NOW if case.changes else changed, case.rest_s)


def test_services_that_come_and_go_for_ten_minutes_change_it_twice() -> None:
    live, changes = daemon_set((A,), NOW), 0
    for second in range(600):
        now = NOW + timedelta(seconds=second)
        wanted = (A,) if second % 40 < 20 else (A, B)
        found = settle(live, wanted, (), now, 270)
        changes += found.changed == now and second > 0
        live = daemon_set(found.images, found.changed)
    assert changes == 2


def test_a_daemon_set_of_before_changed_when_it_was_made() -> None:
    live = daemon_set((A,), NOW)
    del live["metadata"]["annotations"][CHANGED]
    assert settle(live, (B,), (), NOW, 300) == Settled((A,), NOW, 300)
    live["metadata"]["creationTimestamp"] = "2026-11-21T17:59:00Z"
    made = NOW - timedelta(seconds=60)
    assert settle(live, (B,), (), NOW, 300) == Settled((A,), made, 240)


def test_what_somebody_else_wrote_is_not_kept() -> None:
    live = daemon_set((A,), NOW)
    live["metadata"]["annotations"]["rouse.dev/pre-pull-images"] = "what"
    assert settle(live, (B,), (), NOW, 300) == Settled((B,), NOW)


def test_a_time_below_zero_is_refused() -> None:
    settings = "{enabled: true, settleSeconds: -1}"
    with pytest.raises(ConfigError, match="settleSeconds"):
        Config.from_config_map({"data": {"prePull": settings}})
