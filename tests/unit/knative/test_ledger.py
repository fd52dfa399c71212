"""A wake-up is told once, with its first answer where that comes soon."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from rouse.coldstart import Activation
from rouse.embedded.knative.ledger import Ledger
from rouse.kube.objects import Key

REVISION = Key("default", "iris-00001")


def woken(pod: str = "iris-1") -> Activation:
    began = datetime(2026, 11, 21, tzinfo=UTC)
    return Activation.measured(began, 0.03, {"process": 0.004, "load": 0.02}, pod=pod)


def state(pod: str = "iris-1", **timings: float) -> Any:
    return SimpleNamespace(namespace="default", name=pod, timings=timings)


class Told:
    def __init__(self, patience_s: float = 60.0) -> None:
        self.keys: asyncio.Queue[Key] = asyncio.Queue()
        self.ledger = Ledger(self.keys.put_nowait, patience_s=patience_s)


async def test_the_first_answer_completes_it() -> None:
    told = Told()
    told.ledger.record(REVISION, woken())
    told.ledger.observe(state(process=0.004))
    assert told.ledger.newest(REVISION) is None
    assert told.keys.empty()
    told.ledger.observe(state(process=0.004, answer=0.005))
    assert told.keys.get_nowait() == REVISION
    newest = told.ledger.newest(REVISION)
    assert newest is not None
    assert newest.phases["answer"] == 0.005
    assert round(newest.total_s, 6) == 0.035
    assert newest.server_timing().endswith("answer;dur=5.0, total;dur=35.0")


async def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    told = Told(patience_s=0.0)
    told.ledger.record(REVISION, woken())
    async with asyncio.timeout(5):
        assert await told.keys.get() == REVISION
    assert told.ledger.newest(REVISION) == woken()
    told.ledger.observe(state(answer=90.0))
    assert told.ledger.newest(REVISION) == woken()
    assert told.keys.empty()


async def test_what_is_gone_is_told_of_no_more() -> None:
    told = Told()
    told.ledger.record(REVISION, woken("iris-1"))
    told.ledger.observe(state(answer=0.1))
    told.ledger.record(REVISION, woken("iris-2"))
    told.ledger.forget(REVISION)
    told.ledger.observe(state("iris-2", answer=0.1))
    assert told.ledger.newest(REVISION) is None
    assert told.keys.qsize() == 1


async def test_closing_leaves_no_timer() -> None:
    told = Told(patience_s=0.0)
    told.ledger.record(REVISION, woken())
    told.ledger.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told.keys.empty()
