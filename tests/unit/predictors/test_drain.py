"""Stopping a predictor under load fails no request."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import joblib

V1 = "/v1/models/iris:predict"
BODY = {"instances": [[5.1, 3.5, 1.4, 0.2]]}


class Sleepy:
    """Pickles as an estimator whose predict takes half a second."""

    def __reduce__(self) -> Any:
        source = (
            "type('Sleepy', (), {'predict': lambda self, rows:"
            " (__import__('time').sleep(0.5), rows[:, 0])[1], 'n_features_in_': 1})()"
        )
        return (eval, (source,))


async def test_no_request_fails_while_clients_move_on(
    start: Callable[..., Any], iris_folder: Path
) -> None:
    """Sixteen clients ask without a pause on kept connections, as a proxy does.

    Each goes to the other replica when an answer says that its connection closes.
    """
    stopping, staying = start(iris_folder), start(iris_folder)
    busy, moved = asyncio.Event(), 0
    answered = 0

    async def ask(first: httpx.AsyncClient, then: httpx.AsyncClient) -> None:
        nonlocal answered, moved
        closing = False
        while not closing:
            answer = await first.post(V1, json=BODY)
            assert answer.status_code == 200
            closing = answer.headers.get("connection") == "close"
            answered += 1
            if answered > 200:
                busy.set()
        assert (await then.post(V1, json=BODY)).status_code == 200
        moved += 1

    async with AsyncExitStack() as stack:

        async def client(url: str) -> httpx.AsyncClient:
            # Made before the load starts: each blocks the event loop for some 30 ms.
            limits = httpx.Limits(max_connections=1)
            opened = httpx.AsyncClient(base_url=url, limits=limits, timeout=20)
            return await stack.enter_async_context(opened)

        pairs = [(await client(stopping.url), await client(staying.url)) for _ in range(16)]
        async with asyncio.TaskGroup() as group:
            for pair in pairs:
                group.create_task(ask(*pair))
            await asyncio.wait_for(busy.wait(), 20)
            stopping.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(stopping.process.wait, 10) == 0
    assert moved == 16


async def test_answers_say_that_the_connection_closes(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "sleepy"
    folder.mkdir()
    joblib.dump(Sleepy(), folder / "model.joblib")
    predictor = start(folder)
    async with httpx.AsyncClient(base_url=predictor.url, timeout=10) as client:
        slow = [asyncio.create_task(client.post(V1, json={"instances": [[7]]})) for _ in range(3)]
        await _in_flight(client, 2)
        predictor.process.send_signal(signal.SIGTERM)
        answers = await asyncio.gather(*slow)
    assert [answer.json() for answer in answers] == [{"predictions": [7]}] * 3
    assert answers[-1].headers["connection"] == "close"
    assert await asyncio.to_thread(predictor.process.wait, 10) == 0


async def test_a_deadline_ends_the_drain(start: Callable[..., Any], iris_folder: Path) -> None:
    predictor = start(iris_folder, "--drain_seconds=0.3")
    with socket.create_connection(("127.0.0.1", predictor.port)) as stuck:
        stuck.sendall(f"POST {V1} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n".encode())
        async with httpx.AsyncClient(base_url=predictor.url) as client:
            await _in_flight(client, 1)
        predictor.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(predictor.process.wait, 10) == 1
    assert "1 requests were cut off after the drain deadline" in predictor.log.read_text()


class Hanging:
    """Pickles as an estimator whose predict hangs, but for rows of 7, which take 50 ms."""

    def __reduce__(self) -> Any:
        source = (
            "type('Hanging', (), {'predict': lambda self, rows:"
            " (__import__('time').sleep(0.05 if rows[0, 0] == 7 else 600), rows[:, 0])[1],"
            " 'n_features_in_': 1})()"
        )
        return (eval, (source,))


async def test_a_model_that_hangs_keeps_no_process(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    """Its thread cannot be ended; who waits for it is told, and the process goes all the same."""
    folder = tmp_path / "hanging"
    folder.mkdir()
    joblib.dump(Hanging(), folder / "model.joblib")
    predictor = start(folder, "--drain_seconds=0.3")
    async with httpx.AsyncClient(base_url=predictor.url, timeout=20) as client:
        await client.post(V1, json={"instances": [[7]]})  # from now on it runs in a thread
        hanging = asyncio.create_task(client.post(V1, json={"instances": [[8]]}))
        await _in_flight(client, 1)
        predictor.process.send_signal(signal.SIGTERM)
        answer = await hanging
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("The server stops")
    assert await asyncio.to_thread(predictor.process.wait, 10) == 1


async def test_too_many_requests_are_told_to_come_back(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "sleepy"
    folder.mkdir()
    joblib.dump(Sleepy(), folder / "model.joblib")
    predictor = start(folder, "--max_in_flight=2")
    async with httpx.AsyncClient(base_url=predictor.url, timeout=20) as client:
        await client.post(V1, json={"instances": [[7]]})  # from now on it runs in a thread
        asked = [client.post(V1, json={"instances": [[7]]}) for _ in range(6)]
        answers = await asyncio.gather(*asked)
    codes = sorted(answer.status_code for answer in answers)
    assert codes[:2] == [200, 200]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].json()["error"].startswith("2 requests are in flight already")


async def _in_flight(client: httpx.AsyncClient, count: int) -> None:
    async with asyncio.timeout(10):
        while f"requests_in_flight {count}\n" not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.005)
