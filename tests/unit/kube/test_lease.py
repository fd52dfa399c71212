"""Leader election, on a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from rouse.kube import Key
from rouse.kube.lease import Candidate, LeaderElector, LeaseTimes
from rouse.kube.objects import Object
from tests.unit.kube.scripted import answer, client_of, refusal

KEY = Key("rouse-system", "rouse-controller")
WALL = datetime(2024, 5, 1, 12, tzinfo=UTC)


def lease(holder: str, *, renewed: str = "x", version: str = "1", **spec: Any) -> Object:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {**KEY._asdict(), "resourceVersion": version},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15,
            "renewTime": renewed,
            "leaseTransitions": 4,
            **spec,
        },
    }


@pytest.mark.parametrize(
    ("seen", "holder", "transitions"),
    [
        # Each row: (lease as seen, at second) ..., who the last write names, its transitions.
        ([(None, 0)], "me", 0),
        ([(lease("me"), 0)], "me", 4),
        ([(lease(""), 0)], "me", 5),
        ([(lease("other"), 0)], None, None),
        ([(lease("other"), 0), (lease("other"), 14)], None, None),
        ([(lease("other"), 0), (lease("other"), 15)], "me", 5),
        ([(lease("other"), 0), (lease("other", renewed="y"), 15)], None, None),
        (
            [
                (lease("other"), 0),
                (lease("other", renewed="y"), 10),
                (lease("other", renewed="y"), 24),
            ],
            None,
            None,
        ),
        # The holder said for how long it holds.
        ([(lease("other", leaseDurationSeconds=1), n) for n in (0, 2)], "me", 5),
    ],
)
def test_who_writes_the_lease(
    seen: list[tuple[Object | None, float]], holder: str | None, transitions: int | None
) -> None:
    candidate = Candidate(KEY, "me", duration=15)
    wanted = None
    for found, now in seen:
        wanted = candidate.write(found, now=now, wall=WALL)
    if holder is None:
        assert wanted is None
        return
    assert wanted is not None
    assert wanted["spec"]["holderIdentity"] == holder
    assert wanted["spec"].get("leaseTransitions") == transitions
    assert wanted["spec"]["renewTime"] == "2024-05-01T12:00:00.000000Z"
    assert wanted["metadata"]["name"] == KEY.name


def test_a_lease_handed_over_is_free_at_once() -> None:
    candidate = Candidate(KEY, "me", duration=15)
    free = candidate.released(lease("me"), wall=WALL)
    assert not candidate.holds(free)
    successor = Candidate(KEY, "next", duration=15).write(free, now=0, wall=WALL)
    assert successor is not None
    assert successor["spec"]["leaseTransitions"] == 5


def test_times_must_leave_room_to_renew() -> None:
    with pytest.raises(ValueError, match="retry < renew < duration"):
        LeaseTimes(duration=10, renew=10)


class World:
    """One Lease in an API, with a clock and trouble of the test's making."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lease: Object | None = None
        self.version = 0
        self.down = False
        self.at: list[tuple[float, Callable[[], None]]] = []

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused")
        if request.method == "GET":
            return answer(self.lease) if self.lease else refusal(404, "NotFound")
        wanted = orjson.loads(request.content)
        if self.lease is None and request.method == "PUT":
            return refusal(404, "NotFound")
        if self.lease is not None and request.method == "POST":
            return refusal(409, "AlreadyExists")
        if self.lease is not None and wanted["metadata"].get("resourceVersion") != str(
            self.version
        ):
            return refusal(409, "Conflict")
        self.write(wanted)
        return answer(wanted)

    def write(self, wanted: Object) -> None:
        self.version += 1
        wanted["metadata"]["resourceVersion"] = str(self.version)
        self.lease = wanted

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self.at and self.at[0][0] <= self.now:
            self.at.pop(0)[1]()

    def elector(self, identity: str) -> LeaderElector:
        return LeaderElector(
            client_of(self.handle),
            KEY,
            identity,
            clock=lambda: self.now,
            wall=lambda: WALL + timedelta(seconds=self.now),
            sleep=self.sleep,
        )

    @property
    def holder(self) -> str:
        assert self.lease is not None
        return str(self.lease["spec"]["holderIdentity"])


async def test_the_first_leads_and_hands_over() -> None:
    world = World()
    first, second = world.elector("first"), world.elector("second")
    await first.acquire()
    assert (world.holder, first.is_leader, second.is_leader) == ("first", True, False)
    await first.release()
    assert (world.holder, first.is_leader) == ("", False)
    began = world.now
    await second.acquire()
    assert world.holder == "second"
    assert world.now == began


async def test_a_silent_leader_is_succeeded_after_its_time() -> None:
    world = World()
    await world.elector("first").acquire()
    second = world.elector("second")
    await second.acquire()
    assert world.holder == "second"
    assert 15 <= world.now <= 17


async def test_a_leader_cut_off_steps_down_before_anyone_can_succeed_it() -> None:
    world = World()
    leader = world.elector("first")
    await leader.acquire()

    def cut() -> None:
        world.down = True

    world.at = [(20.0, cut)]
    await leader.hold()
    assert not leader.is_leader
    # The last renewal was at 18 s: others may lead from 33 s on.
    assert 28 <= world.now < 33


async def test_a_short_trouble_does_not_cost_the_leadership() -> None:
    world = World()
    leader = world.elector("first")
    await leader.acquire()

    def set_down(down: bool) -> Callable[[], None]:
        return lambda: setattr(world, "down", down)

    def steal() -> None:
        world.write(lease("thief", version=""))

    world.at = [(4.0, set_down(True)), (10.0, set_down(False)), (40.0, steal)]
    await leader.hold()
    assert world.now == 40.0
    assert world.holder == "thief"


async def test_releasing_touches_no_lease_of_another() -> None:
    world = World()
    world.write(lease("other", version=""))
    await world.elector("me").release()
    assert world.holder == "other"
    world.down = True
    await world.elector("me").release()


async def test_a_lease_made_by_hand_without_a_spec_is_free() -> None:
    world = World()
    bare = lease("", version="")
    del bare["spec"]
    world.write(bare)
    elector = world.elector("me")
    await elector.release()
    await elector.acquire()
    assert world.holder == "me"


async def test_clocks_that_disagree_by_days_do_no_harm() -> None:
    world = World()
    first = world.elector("first")
    await first.acquire()
    second = LeaderElector(
        client_of(world.handle),
        KEY,
        "second",
        clock=lambda: world.now - 1e6,
        wall=lambda: WALL + timedelta(days=30),
        sleep=world.sleep,
    )
    began = world.now
    await second.acquire()
    assert 15 <= world.now - began <= 18
    assert not first.is_leader


async def test_how_long_a_leader_may_write() -> None:
    world = World()
    elector = world.elector("me")
    assert elector.remaining() <= 0
    await elector.acquire()
    assert elector.remaining() == 10.0
    world.now += 4.0
    assert (elector.remaining(), elector.seconds_since_reached()) == (6.0, 4.0)
    await elector.release()
    assert elector.remaining() <= 0
