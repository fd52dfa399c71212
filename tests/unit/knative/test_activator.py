"""The activator's queue: bounded, in turn, given back, and never left hanging."""

from __future__ import annotations

import asyncio

import pytest

from rouse.embedded.knative.activator import (
    ActivationFailedError,
    ActivationTimeoutError,
    Admission,
    QueueFullError,
    UnknownRevisionError,
)
from rouse.kube.objects import Key
from tests.unit.knative.activating import Bench


async def admitting(bench: Bench, count: int) -> list[asyncio.Task[Admission]]:
    tasks = [asyncio.create_task(bench.activator.admit(bench.key)) for _ in range(count)]
    await bench.until_held(count)
    return tasks


async def test_many_requests_wake_once_and_pass_together() -> None:
    bench = Bench()
    tasks = await admitting(bench, 100)
    assert len(bench.node.launched) == 1
    bench.clock.pass_(0.03)
    bench.ready()
    admissions = await asyncio.gather(*tasks)
    assert {one.endpoint.port for one in admissions} == {bench.port}
    assert bench.activator.held(bench.key) == 0
    [(key, activation)] = bench.recorded
    assert key == bench.key
    assert activation.total_s == pytest.approx(0.03)
    assert activation.phases["queue"] == pytest.approx(0.018)


async def test_ready_replicas_take_turns() -> None:
    bench = Bench()
    bench.replicas.scale_to(bench.deployment, 2)
    bench.ready()
    ports = [(await bench.activator.admit(bench.key)).endpoint.port for _ in range(4)]
    assert ports[0] != ports[1]
    assert ports[:2] == ports[2:]
    assert bench.recorded == []


async def test_the_queue_is_bounded() -> None:
    bench = Bench(queue_limit=3)
    tasks = await admitting(bench, 3)
    with pytest.raises(QueueFullError, match="3 requests wait already"):
        await bench.activator.admit(bench.key)
    bench.ready()
    await asyncio.gather(*tasks)
    assert (await bench.activator.admit(bench.key)).activation is None


async def test_a_cancelled_request_gives_its_place_back() -> None:
    bench = Bench(queue_limit=1)
    [task] = await admitting(bench, 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert bench.activator.held(bench.key) == 0
    [task] = await admitting(bench, 1)
    bench.ready()
    await task


async def test_the_revisions_timeout_ends_the_wait() -> None:
    bench = Bench(timeout_s=0.01)
    with pytest.raises(ActivationTimeoutError, match=r"timeout of 0\.01 s"):
        await bench.activator.admit(bench.key)
    assert bench.activator.held(bench.key) == 0


async def test_an_unknown_revision_wakes_nothing() -> None:
    bench = Bench()
    with pytest.raises(UnknownRevisionError):
        await bench.activator.admit(Key("default", "other"))
    assert bench.pokes == 0


async def test_one_crash_is_waited_out() -> None:
    bench = Bench()
    [task] = await admitting(bench, 1)
    bench.crash(1, "out of luck")
    await asyncio.sleep(0)
    assert not task.done()
    bench.ready()
    assert (await task).endpoint.port == bench.port


async def test_the_second_crash_answers_all_with_the_reason() -> None:
    bench = Bench()
    tasks = await admitting(bench, 3)
    bench.crash(2, "Traceback", "ValueError: bad model")
    for task in tasks:
        with pytest.raises(ActivationFailedError, match=r"\(ExitCode1\): ValueError: bad model"):
            await task
    # Who comes while it keeps failing need not wait to learn it.
    with pytest.raises(ActivationFailedError):
        await bench.activator.admit(bench.key)
    bench.ready()
    await bench.activator.admit(bench.key)


async def test_what_cannot_start_at_all_answers_at_once() -> None:
    bench = Bench()
    [task] = await admitting(bench, 1)
    [pod] = bench.node.launched
    bench.node.change(pod, reason="NoLocalCommand", message="no command for image x")
    with pytest.raises(ActivationFailedError, match=r"NoLocalCommand.*no command for image x"):
        await task


async def test_a_deleted_revision_answers_its_waiters() -> None:
    bench = Bench()
    [task] = await admitting(bench, 1)
    bench.activator.forget(bench.key)
    with pytest.raises(UnknownRevisionError, match="was deleted"):
        await task


async def test_closing_answers_everybody() -> None:
    bench = Bench()
    [task] = await admitting(bench, 1)
    bench.activator.close()
    with pytest.raises(ActivationFailedError, match="stopping"):
        await task


async def test_a_retiring_replica_gets_no_request() -> None:
    bench = Bench()
    bench.replicas.scale_to(bench.deployment, 1)
    bench.ready()
    bench.replicas.scale_to(bench.deployment, 0)
    [task] = await admitting(bench, 1)
    assert len(bench.node.launched) == 2
    bench.node.become_ready(bench.node.launched[1])
    assert (await task).endpoint.port == bench.port


async def test_a_clock_that_is_set_back_does_not_make_waits_negative() -> None:
    bench = Bench()
    tasks = await admitting(bench, 1)
    bench.clock.pass_(0.03)
    bench.clock.set_back = 3600
    bench.ready()
    await asyncio.gather(*tasks)
    [(_, activation)] = bench.recorded
    assert activation.total_s == pytest.approx(0.03)
    assert "-" not in activation.server_timing()
