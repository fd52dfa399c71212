"""How long a request is worked on: what its client says, and whether it is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from predictors.serving.errors import InvalidInputError
from predictors.serving.patience import (
    TIMEOUT_HEADER,
    ClientGoneError,
    patience_of,
    while_there,
)


class Client:
    """A client that stays until it `left`."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.looked_for = 0

    async def client_disconnect(self) -> None:
        self.looked_for += 1
        await self.left.wait()

    async def __call__(self) -> bytes:
        raise NotImplementedError

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise NotImplementedError

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        raise NotImplementedError

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("0", 0.0), ("1500", 1.5), (" 1e3 ", 1.0), ("0.5", 0.0005), ("1e300", 1e9), ("9" * 30, 1e9)],
)
def test_what_a_client_says(told: str, seconds: float) -> None:
    assert patience_of({TIMEOUT_HEADER: told}) == seconds
    assert patience_of({}) is None


@pytest.mark.parametrize("told", ["", "-1", "nan", "inf", "soon", "1_0", "0x10", "1e999", "5s"])
def test_what_is_no_time(told: str) -> None:
    with pytest.raises(InvalidInputError, match="must be milliseconds"):
        patience_of({TIMEOUT_HEADER: told})


async def test_a_quick_answer_is_there_before_anybody_looks() -> None:
    client = Client()
    assert await while_there(client, asyncio.sleep(0, "done")) == "done"
    assert client.looked_for == 0


@pytest.mark.parametrize("early", [True, False])
async def test_whose_client_leaves_is_cancelled(early: bool) -> None:
    client = Client()
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def working() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    waiting = asyncio.create_task(while_there(client, working()))
    async with asyncio.timeout(10):
        await begun.wait()
        while not early and not client.looked_for:
            await asyncio.sleep(0.001)
        client.left.set()
        with pytest.raises(ClientGoneError):
            await waiting
        await cancelled.wait()


async def test_nobody_is_left_looking() -> None:
    client = Client()
    before = len(asyncio.all_tasks())
    assert await while_there(client, asyncio.sleep(0.05, "done")) == "done"
    await asyncio.sleep(0)
    assert client.looked_for == 1
    assert len(asyncio.all_tasks()) == before
