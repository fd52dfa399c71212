"""Events: counted, bounded and never in the way."""

from __future__ import annotations

import asyncio
import itertools

import httpx
import orjson

from rouse.kube import EventRecorder, Key
from rouse.kube.events import EventSeries, make_event
from tests.unit.kube.scripted import ScriptedApi, answer, pod, refusal

NOON = 1_700_000_000.0


def test_an_event() -> None:
    obj = pod("p", "3", uid="u")
    event = make_event(obj, "Warning", "Broken", "x" * 2000, component="c", now=NOON, suffix="0f")
    assert event["metadata"] == {"namespace": "a", "name": "p.0f"}
    assert event["involvedObject"]["uid"] == "u"
    assert event["lastTimestamp"] == "2023-11-14T22:13:20Z"
    assert len(event["message"]) == 1024


def test_an_event_about_a_cluster_scoped_object_lives_in_default() -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    event = make_event(node, "Normal", "R", "m", component="c", now=NOON, suffix="0f")
    assert event["metadata"]["namespace"] == "default"


def test_series() -> None:
    series = EventSeries(window_s=10, remember=2)

    def count(reason: str, suffix: str, now: float) -> tuple[Key, int]:
        event = make_event(
            pod("p", uid="u"), "Normal", reason, "m", component="c", now=NOON, suffix=suffix
        )
        return series.count(event, now)

    assert count("A", "1", 0) == (Key("a", "p.1"), 1)
    assert count("A", "2", 5) == (Key("a", "p.1"), 2)
    assert count("B", "3", 6) == (Key("a", "p.3"), 1)
    assert count("A", "4", 16) == (Key("a", "p.4"), 1)
    assert count("C", "5", 16) == (Key("a", "p.5"), 1)
    # Only the last two are remembered.
    assert count("B", "6", 16) == (Key("a", "p.6"), 1)
    series.forget(Key("a", "p.6"))
    assert count("B", "7", 16) == (Key("a", "p.7"), 1)


async def record(api: ScriptedApi, *reasons: str, queue_size: int = 10) -> EventRecorder:
    suffixes = itertools.count(1)
    recorder = EventRecorder(
        api.client(),
        "test",
        clock=lambda: NOON,
        suffix=lambda: str(next(suffixes)),
        queue_size=queue_size,
    )
    await recorder.start()
    for reason in reasons:
        recorder.emit(pod("p", uid="u"), "Normal", reason, "m")
    assert await recorder.flush(5)
    await recorder.stop()
    return recorder


async def test_repeated_events_are_counted_in_the_first() -> None:
    api = ScriptedApi(answer({}), answer({}))
    await record(api, "A", "A")
    assert api.lines == [
        "POST /api/v1/namespaces/a/events?fieldManager=rouse",
        "PATCH /api/v1/namespaces/a/events/p.1?fieldManager=rouse",
    ]
    assert orjson.loads(api.requests[1].content)["count"] == 2


async def test_a_series_whose_event_expired_begins_anew() -> None:
    api = ScriptedApi(answer({}), refusal(404, "NotFound"), answer({}))
    await record(api, "A", "A")
    assert orjson.loads(api.requests[2].content)["metadata"]["name"] == "p.2"


async def test_what_cannot_be_written_is_dropped_and_counted() -> None:
    api = ScriptedApi(refusal(403, "Forbidden"), httpx.ConnectError("refused"), answer({}))
    recorder = await record(api, "A", "B", "C")
    assert recorder.dropped == 2


async def test_emitting_never_waits() -> None:
    recorder = EventRecorder(ScriptedApi().client(), "test", queue_size=2)
    for _ in range(5):
        recorder.emit(pod("p"), "Normal", "R", "m")
    assert recorder.dropped == 3
    await recorder.start()
    assert not await recorder.flush(0.01)
    await recorder.stop(0.01)
    assert len(asyncio.all_tasks()) == 1
