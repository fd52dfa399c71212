"""The informer never loses a change, whatever happens to its watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from rouse.errors import UnavailableError
from rouse.kube import EventType, Informer, InformerOptions, Key
from rouse.kube.backoff import Backoff
from rouse.kube.objects import Object
from rouse.kube.resources import PODS
from tests.unit.kube.scripted import (
    ScriptedApi,
    bookmark,
    gone,
    listed,
    pod,
    refusal,
    watched,
)

FAST = InformerOptions(backoff=Backoff(base=0.001, limit=0.002), watch_for=lambda: 7.0)


class Seen:
    """What a handler was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, type_: EventType, obj: Object, old: Object | None) -> None:
        metadata = obj["metadata"]
        before = f" was {old['metadata']['resourceVersion']}" if old else ""
        self.lines.append(f"{type_} {metadata['name']} {metadata['resourceVersion']}{before}")


@asynccontextmanager
async def following(
    api: ScriptedApi, options: InformerOptions = FAST
) -> AsyncIterator[tuple[Informer, Seen]]:
    """Run an informer until the script is used up."""
    informer = Informer(api.client(), PODS, "a", options)
    seen = Seen()
    informer.add_change_handler(seen)
    await informer.start()
    try:
        await asyncio.wait_for(api.exhausted.wait(), 10)
        yield informer, seen
    finally:
        await informer.stop()


async def test_list_then_watch() -> None:
    api = ScriptedApi(
        listed("5", pod("p", "3"), pod("q", "4")),
        watched(
            ("ADDED", pod("r", "6")),
            ("MODIFIED", pod("p", "7")),
            ("DELETED", pod("q", "8")),
        ),
    )
    async with following(api) as (informer, seen):
        assert seen.lines == [
            "ADDED p 3",
            "ADDED q 4",
            "ADDED r 6",
            "MODIFIED p 7 was 3",
            "DELETED q 8 was 4",
        ]
        assert {one["metadata"]["name"] for one in informer.list()} == {"p", "r"}
        assert informer.get(Key("a", "p")) == pod("p", "7")
        assert informer.is_synced
    assert "resourceVersion=5&timeoutSeconds=7" in api.lines[1]
    assert "resourceVersion=8" in api.lines[2]


async def test_a_watch_that_ends_is_taken_up_where_it_was_bookmarks_included() -> None:
    api = ScriptedApi(listed("5"), watched(bookmark("90")), watched(("ADDED", pod("p", "91"))))
    async with following(api) as (informer, _):
        assert informer.last_error is None
    assert "resourceVersion=90" in api.lines[2]
    assert len([line for line in api.lines if "watch" not in line]) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        watched(then=httpx.ReadError("reset")),
        httpx.ConnectError("refused"),
        refusal(500, "InternalError"),
        refusal(429, "TooManyRequests"),
        watched(),
    ],
)
async def test_after_trouble_the_watch_goes_on_without_a_new_list(
    trouble: httpx.Response | Exception,
) -> None:
    api = ScriptedApi(
        listed("5", pod("p", "3")), trouble, trouble, watched(("MODIFIED", pod("p", "6")))
    )
    if isinstance(trouble, httpx.Response) and not trouble.is_closed:
        # A response can only be read once: the second try gets its own.
        api.answers[2] = refusal(503, "ServiceUnavailable")
    async with following(api) as (_, seen):
        assert seen.lines == ["ADDED p 3", "MODIFIED p 6 was 3"]
    assert len([line for line in api.lines if "watch" not in line]) == 1


@pytest.mark.parametrize(
    "too_old",
    [
        lambda: watched(gone()),
        lambda: refusal(410, "Gone"),
        lambda: refusal(504, "Timeout", "Too large resource version"),
    ],
    ids=["event", "answer", "from the future"],
)
async def test_too_old_means_list_again_and_tell_the_difference(
    too_old: Callable[[], httpx.Response],
) -> None:
    api = ScriptedApi(
        listed("5", pod("same", "1"), pod("changed", "2"), pod("gone", "3")),
        too_old(),
        listed("50", pod("same", "1"), pod("changed", "40"), pod("new", "41")),
    )
    async with following(api) as (_, seen):
        assert seen.lines[3:] == [
            "MODIFIED changed 40 was 2",
            "ADDED new 41",
            "DELETED gone 3 was 3",
        ]
    assert "resourceVersion=50" in api.lines[3]


async def test_the_first_list_is_tried_until_it_comes() -> None:
    api = ScriptedApi(httpx.ConnectError("refused"), refusal(503, "Unavailable"), listed("1"))
    async with following(api) as (informer, _):
        await informer.synced(1)


async def test_an_optional_kind_may_be_absent() -> None:
    api = ScriptedApi(refusal(404, "NotFound"))
    informer = Informer(api.client(), PODS, "a", replace(FAST, optional=True))
    await informer.start()
    try:
        await informer.synced(5)
        assert informer.list() == []
    finally:
        await informer.stop()


async def test_what_there_was_of_an_optional_kind_goes_with_it() -> None:
    api = ScriptedApi(listed("5", pod("p", "3")), refusal(404, "NotFound"))
    informer = Informer(api.client(), PODS, "a", replace(FAST, optional=True))
    gone_too = asyncio.Event()
    informer.add_handler(lambda type_, _: gone_too.set() if type_ == "DELETED" else None)
    await informer.start()
    try:
        async with asyncio.timeout(5):
            await gone_too.wait()
        assert informer.list() == []
    finally:
        await informer.stop()


async def test_not_synced_in_time_says_why() -> None:
    api = ScriptedApi(refusal(403, "Forbidden", "pods is forbidden"))
    async with following(api) as (informer, _):
        with pytest.raises(UnavailableError, match=r"within 0\.01 s: pods is forbidden"):
            await informer.synced(0.01)


async def test_a_handler_that_raises_disturbs_no_other(caplog: pytest.LogCaptureFixture) -> None:
    api = ScriptedApi(listed("5", pod("p", "3")))
    informer = Informer(api.client(), PODS, "a", FAST)
    seen = Seen()

    def broken(_type: EventType, _obj: Object) -> None:
        raise RuntimeError("broken")

    informer.add_handler(broken)
    informer.add_change_handler(seen)
    await informer.start()
    await informer.synced(5)
    await informer.stop()
    assert seen.lines == ["ADDED p 3"]
    assert "a handler failed" in caplog.text


async def test_a_late_handler_is_told_what_is_there() -> None:
    async with following(ScriptedApi(listed("5", pod("p", "3")))) as (informer, _):
        late = Seen()
        informer.add_change_handler(late)
        assert late.lines == ["ADDED p 3"]


async def test_managed_fields_are_not_kept_and_indexes_work() -> None:
    owned = pod("p", "3", ownerReferences=[{"uid": "u"}], managedFields=[{"manager": "x"}])
    async with following(ScriptedApi(listed("5", owned))) as (informer, _):
        (found,) = informer.owned_by("u")
        assert "managedFields" not in found["metadata"]
        informer.add_index("name", lambda obj: (obj["metadata"]["name"],))
        assert informer.indexed("name", "p") == [found]
        assert informer.list("a", {"x": "1"}) == []
        assert len(informer) == 1


async def test_resync_sends_everything_again() -> None:
    again = asyncio.Event()
    api = ScriptedApi(listed("5", pod("p", "3")))
    informer = Informer(api.client(), PODS, "a", InformerOptions(resync=0.005))
    informer.add_change_handler(
        lambda type_, obj, old: again.set() if type_ == "MODIFIED" and old is obj else None
    )
    await informer.start()
    await asyncio.wait_for(again.wait(), 5)
    await informer.stop()
