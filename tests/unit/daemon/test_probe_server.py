"""Probes, metrics and profiles over a socket, also for those who mean no good."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest

from rouse.daemon import server as module
from rouse.daemon.endpoints import Checks, Ports, serve_endpoints
from rouse.daemon.server import Answer, ProbeServer
from rouse.errors import EngineError


@asynccontextmanager
async def serving(*, profiling: bool = False, ails: list[str] | None = None) -> AsyncIterator[str]:
    """The URL of a process' one port."""
    checks = Checks(alive=list, ready=lambda: ails or [])
    ports = Ports(metrics=0, health=0, profiling=profiling)
    async with serve_endpoints(ports, lambda: "up 1\n", checks, openmetrics=lambda: "# EOF\n") as (
        one,
    ):
        yield f"http://127.0.0.1:{one.port}"


async def get(url: str, method: str = "GET", accept: str = "*/*") -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.request(method, url, headers={"accept": accept})


async def test_probes_and_metrics() -> None:
    ails: list[str] = []
    async with serving(ails=ails) as url:
        metrics = await get(f"{url}/metrics")
        assert (metrics.text, metrics.headers["content-type"][:10]) == ("up 1\n", "text/plain")
        assert (await get(f"{url}/healthz")).text == "ok\n"
        assert (await get(f"{url}/readyz")).status_code == 200
        absent = await get(f"{url}/nosuch")
        assert (absent.status_code, "/readyz" in absent.text) == (404, True)
        assert (await get(f"{url}/healthz", "POST")).status_code == 405
        head = await get(f"{url}/healthz", "HEAD")
        assert (head.status_code, head.content) == (200, b"")
        assert (await get(f"{url}/debug/pprof/tasks")).status_code == 404


async def test_openmetrics_for_who_accepts_it() -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.7,text/plain;version=0.0.4;q=0.3"
    async with serving() as url:
        metrics = await get(f"{url}/metrics", accept=accept)
        assert metrics.text == "# EOF\n"
        assert metrics.headers["content-type"].startswith("application/openmetrics-text")
        assert (await get(f"{url}/healthz", accept=accept)).text == "ok\n"


async def test_what_is_not_ready_says_why() -> None:
    async with serving(ails=["not listed yet: pods"]) as url:
        answer = await get(f"{url}/readyz")
    assert (answer.status_code, answer.text) == (503, "not listed yet: pods\n")


@pytest.mark.parametrize(
    ("sent", "begins"),
    [
        (b"nonsense\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET /healthz HTTP/2\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", b""),
        (b"GET /healthz HTTP/1.1\r\n", b""),
    ],
    ids=["nonsense", "version", "too long", "never ended"],
)
async def test_bad_requests_cost_nothing(
    sent: bytes, begins: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HEAD_S", 0.1)
    async with serving() as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(sent)
        try:
            answer = await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:
            answer = b""
        writer.close()
        assert answer.startswith(begins)
        assert bool(answer) is bool(begins)
        assert (await get(f"{url}/healthz")).status_code == 200


async def test_a_handler_that_fails_is_no_end(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_query: Mapping[str, str]) -> Answer:
        raise ZeroDivisionError

    async with ProbeServer({"/x": broken}, host="127.0.0.1", port=0) as one:
        assert (await get(f"http://127.0.0.1:{one.port}/x")).status_code == 500
    assert "/x failed" in caplog.text


async def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=f"port {port} for probes and metrics"):
            await ProbeServer({}, port=port).__aenter__()


async def test_profiles() -> None:
    async with serving(profiling=True) as url:
        spin = asyncio.create_task(_busy())
        profile = (await get(f"{url}/debug/pprof/profile?seconds=0.3")).text
        tasks = (await get(f"{url}/debug/pprof/tasks")).text
        spin.cancel()
        bad = await get(f"{url}/debug/pprof/profile?seconds=1e9")
        first = (await get(f"{url}/debug/pprof/heap")).text
        second = (await get(f"{url}/debug/pprof/heap")).text
        last = (await get(f"{url}/debug/pprof/heap?stop=1")).text
    stack, _, count = profile.splitlines()[0].rpartition(" ")
    assert ";" in stack
    assert int(count) > 0
    assert any("_busy" in line for line in profile.splitlines())
    assert "_busy" in tasks
    assert bad.status_code == 400
    assert first.startswith("tracing from now on")
    assert "size=" in second
    assert last == "tracing stopped\n"


async def _busy() -> None:
    while True:
        for _ in range(1_000_000):  # longer than the interpreter lets a thread run on its own
            pass
        await asyncio.sleep(0)
