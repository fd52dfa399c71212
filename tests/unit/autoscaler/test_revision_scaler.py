"""One revision between asleep and many, second by second on a clock of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rouse.autoscaler import Activity, AutoscalerConfig, Verdict, resolve_spec
from rouse.autoscaler.revision import Asked, RevisionScaler
from tests.unit.knative.harness import Stats

CONFIG = AutoscalerConfig(target_burst_capacity=0.0, stable_window_s=6.0, grace_period_s=2.0)
P = "autoscaling.knative.dev/"


def asked(**annotations: str) -> Asked:
    named = {P + key.replace("_", "-"): value for key, value in annotations.items()}
    return Asked(resolve_spec(named, CONFIG), reachable=True, progress_deadline_s=600.0)


class Life:
    """A scaler, its replicas (ready as soon as asked for) and its clock."""

    def __init__(self, replicas: int = 0, *, initialized: bool = False, **annotations: str) -> None:
        self.now = 0.0
        self.replicas = replicas
        self.scaler = RevisionScaler(
            asked(**annotations), now=0.0, replicas=replicas, initialized=initialized
        )
        self.follow(self.scaler.judge(0.0, replicas))

    def follow(self, verdict: Verdict | None) -> None:
        if verdict is not None and verdict.replicas is not None:
            self.replicas = verdict.replicas
            self.scaler.judge(self.now, self.replicas)

    def is_in(self, activity: Activity) -> bool:
        return self.scaler.activity is activity

    def live(self, seconds: int, stats: Stats) -> None:
        for _ in range(seconds):
            self.now += 1
            self.scaler.record(self.now, stats)
            if self.now % 2 == 0:
                self.follow(self.scaler.tick(self.now, self.replicas))


def test_a_new_revision_starts_one_replica() -> None:
    life = Life()
    assert life.replicas == 1
    assert life.is_in(Activity.ACTIVE)
    assert life.scaler.initialized


def test_one_that_slept_stays_asleep() -> None:
    life = Life(initialized=True)
    assert life.replicas == 0
    assert life.scaler.in_path


def test_idle_it_becomes_inactive_after_the_window_and_waits_for_the_gateway() -> None:
    life = Life()
    life.live(5, Stats())
    assert life.is_in(Activity.ACTIVE)
    life.live(1, Stats())
    assert life.is_in(Activity.INACTIVE)
    assert life.scaler.in_path
    life.live(10, Stats())
    assert life.replicas == 1
    life.scaler.confirmed = True
    life.live(2, Stats())
    assert life.replicas == 0


def test_the_grace_counts_from_becoming_inactive() -> None:
    life = Life()
    life.live(6, Stats())
    life.scaler.confirmed = True
    life.follow(life.scaler.judge(7.9, 1))
    assert life.replicas == 1
    life.follow(life.scaler.judge(8.0, 1))
    assert life.replicas == 0


def test_a_poke_wakes() -> None:
    life = Life(initialized=True)
    verdict = life.scaler.poke(1.0, 0)
    assert verdict is not None
    assert verdict.replicas == 1
    assert life.is_in(Activity.ACTIVATING)
    assert life.scaler.poke(1.0, 0) is None  # once is enough


def test_a_poke_wakes_to_the_activation_scale() -> None:
    life = Life(initialized=True, activation_scale="3")
    verdict = life.scaler.poke(1.0, 0)
    assert verdict is not None
    assert verdict.replicas == 3


def test_a_poke_while_it_drains_turns_it_back() -> None:
    life = Life()
    life.live(6, Stats())
    life.scaler.confirmed = True
    life.follow(life.scaler.poke(6.5, 1))
    assert life.is_in(Activity.ACTIVE)
    assert not life.scaler.in_path
    assert not life.scaler.confirmed
    life.live(4, Stats())
    assert life.replicas == 1


def test_every_poke_makes_older_decisions_stale() -> None:
    life = Life()
    epoch = life.scaler.epoch
    life.scaler.poke(1.0, 1)
    assert life.scaler.epoch == epoch + 1


def test_requests_between_scrapes_count() -> None:
    life = Life()
    for total in range(1, 21):
        life.live(1, Stats(0, total))
    assert life.is_in(Activity.ACTIVE)


def test_requests_between_scrapes_do_not_scale_up() -> None:
    life = Life(target="1")
    for count in range(1, 21):
        life.live(1, Stats(0, 1000 * count))
    assert life.replicas == 1


def test_requests_in_flight_scale_up_and_wear_off() -> None:
    life = Life(target="10", target_utilization_percentage="100")
    life.live(8, Stats(30, 30))
    assert life.replicas == 3
    life.live(16, Stats(1, 31))
    assert life.replicas == 1


def test_requests_per_second() -> None:
    life = Life(metric="rps", target="10", target_utilization_percentage="100")
    for second in range(1, 9):
        life.live(1, Stats(0, 25 * second))
    assert life.replicas == 3


@pytest.mark.parametrize(
    ("stats", "quiet"),
    [(None, True), (Stats(0, 5), True), (Stats(0, 6), False), (Stats(1, 5), False)],
)
def test_quiet(stats: Stats | None, quiet: bool) -> None:
    life = Life()
    life.live(1, Stats(0, 5))
    assert life.scaler.quiet(stats) is quiet


def test_an_activation_that_never_succeeds_is_given_up() -> None:
    scaler = RevisionScaler(asked(), now=0.0, replicas=1, initialized=False)
    assert scaler.judge(629.0, 0).replicas == 1
    assert scaler.late(600.0)
    verdict = scaler.judge(630.0, 0)
    assert (verdict.replicas, verdict.gave_up) == (0, True)
    assert scaler.timed_out
    assert scaler.poke(700.0, 0) is not None
    assert not scaler.timed_out


def test_a_first_start_that_became_pointless_is_not_called_late() -> None:
    scaler = RevisionScaler(asked(), now=0.0, replicas=1, initialized=False)
    scaler.configure(replace(asked(), reachable=False))
    assert scaler.judge(1.0, 0).replicas == 0
    assert not scaler.timed_out
    assert not scaler.late(2.0)


def test_settings_may_change_in_between() -> None:
    life = Life()
    life.scaler.configure(asked(min_scale="2", window="10s"))
    life.live(2, Stats())
    assert life.replicas == 2
    life.scaler.configure(replace(asked(min_scale="2"), reachable=False))
    life.live(12, Stats())
    life.scaler.confirmed = True
    life.live(4, Stats())
    assert life.replicas == 0


def test_the_activator_stays_in_the_path_where_burst_capacity_asks_for_it() -> None:
    life = Life(target_burst_capacity="-1")
    assert life.scaler.in_path
    life.live(2, Stats(1, 1))
    assert life.scaler.in_path
    assert life.is_in(Activity.ACTIVE)


def test_a_restart_does_not_scale_down_what_runs() -> None:
    life = Life(5, initialized=True, target="1")
    life.live(6, Stats(1, 1))
    assert life.replicas == 5
