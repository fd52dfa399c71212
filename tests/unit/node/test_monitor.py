"""When probes are asked, and what follows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from rouse.embedded.node.monitor import Monitor, Probes
from rouse.embedded.node.probes import HttpGet, Probe, ProbeResult, TcpSocket

TCP = Probe(TcpSocket(1), period=0.02, failure_threshold=2)
HTTP = Probe(HttpGet(1), period=0.02, failure_threshold=2, success_threshold=2)


class Scene:
    """A monitor over scripted answers, the last of which stays."""

    def __init__(self, probes: Probes, *answers: bool) -> None:
        self.answers = list(answers)
        self.asked: list[float] = []
        self.seen: list[str] = []
        self.changed = asyncio.Event()
        self.reported = asyncio.Event()
        self.began = time.monotonic()
        self.monitor = Monitor(
            probes,
            reported=self.reported,
            ask=self.ask,
            on_started=lambda: self.note("started"),
            on_ready=lambda ready, _: self.note("ready" if ready else "unready"),
            on_unhealthy=self.note,
        )

    def note(self, what: str) -> None:
        self.seen.append(what)
        self.changed.set()

    async def ask(self, _: Probe) -> ProbeResult:
        self.asked.append(time.monotonic() - self.began)
        ok = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return ProbeResult(ok, "why")

    async def run(self, until: Callable[[], bool]) -> None:
        task = asyncio.create_task(self.monitor.run())
        async with asyncio.timeout(5):
            while not until():
                self.changed.clear()
                await self.changed.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_without_probes_it_is_ready_at_once() -> None:
    scene = Scene(Probes(), True)
    await scene.run(lambda: "ready" in scene.seen)
    assert scene.seen == ["started", "ready"]
    assert scene.asked == []


async def test_first_probes_are_quick_whatever_the_period() -> None:
    slow = Probe(TcpSocket(1), period=30)
    scene = Scene(Probes(readiness=slow), False, False, True)
    await scene.run(lambda: "ready" in scene.seen)
    assert len(scene.asked) == 3
    assert scene.asked[-1] < 1


async def test_a_report_is_followed_by_a_probe_at_once() -> None:
    patient = Probe(HttpGet(1), period=30, initial_delay=30)
    scene = Scene(Probes(readiness=patient, reports=True), True)
    scene.reported.set()
    await scene.run(lambda: "ready" in scene.seen)
    assert scene.asked[0] < 1


async def test_a_report_is_no_proof() -> None:
    scene = Scene(Probes(readiness=HTTP, reports=True), False, True, False, True, True)
    scene.reported.set()
    await scene.run(lambda: "ready" in scene.seen)
    assert len(scene.asked) == 5  # two successes in a row are wanted


async def test_an_open_port_proves_nothing_for_one_that_reports() -> None:
    scene = Scene(Probes(readiness=TCP, reports=True), True)
    task = asyncio.create_task(scene.monitor.run())
    await asyncio.sleep(0.05)
    assert scene.asked == []
    scene.reported.set()
    async with asyncio.timeout(5):
        while "ready" not in scene.seen:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_readiness_comes_and_goes_by_the_thresholds() -> None:
    answers = [True, True, False, True, False, False, True, True]
    scene = Scene(Probes(readiness=HTTP), *answers)
    await scene.run(lambda: scene.seen.count("ready") == 2)
    assert scene.seen == ["started", "ready", "unready", "ready"]
    assert len(scene.asked) == len(answers)


async def test_liveness_tells_once() -> None:
    scene = Scene(Probes(liveness=TCP), True, False, True, False, False)
    await scene.run(lambda: len(scene.seen) == 3)
    assert scene.seen == ["started", "ready", "Liveness probe failed: why"]


async def test_startup_gates_the_others_and_gives_up_in_time() -> None:
    scene = Scene(Probes(startup=TCP, readiness=HTTP, liveness=TCP), False)
    await scene.run(lambda: bool(scene.seen))
    assert scene.seen == ["Startup probe failed: why"]
    assert 0.04 <= scene.asked[-1] < 1
