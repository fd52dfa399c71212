from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rouse.embedded.apiserver import events
from rouse.embedded.apiserver.events import EventExpiry
from rouse.embedded.apiserver.memory import memory_api

EVENTS = "/api/v1/namespaces/default/events"


async def test_events_go_an_hour_after_they_last_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    async with memory_api(manifests=False, clock=lambda: now) as (server, api):
        for name, at in (("old", "2026-01-01T11:00:00Z"), ("new", "2026-01-01T11:59:00Z")):
            answer = await api.post(EVENTS, json={"metadata": {"name": name}, "lastTimestamp": at})
            assert answer.status_code == 201
        expiry = EventExpiry(server.state)
        now += timedelta(minutes=1)
        assert await expiry.expire() == 1
        left = (await api.get(EVENTS)).json()["items"]
        assert [event["metadata"]["name"] for event in left] == ["new"]

        for number in range(4):
            await api.post(EVENTS, json={"metadata": {"name": f"e{number}"}})
        monkeypatch.setattr(events, "MAX_EVENTS", 2)
        assert await expiry.expire() == 3
        left = (await api.get(EVENTS)).json()["items"]
        assert [event["metadata"]["name"] for event in left] == ["e2", "e3"]
