"""Services that do not exist, over real connections, and router processes that ask them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[3]


@dataclass
class Request:
    """What a service was asked; names of headers in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    port: int
    """Of the caller: the same for the same connection."""


Reply = tuple[int, dict[str, str], bytes]
Handler = Callable[[Request], Awaitable[Reply]]


@dataclass
class Service:
    """A server of plain HTTP/1.1 that answers as told, and remembers."""

    requests: list[Request] = field(default_factory=list)
    reply: Reply = (200, {"content-type": "application/json"}, b'{"predictions":[7]}')
    handler: Handler | None = None
    raw: Callable[[Request, asyncio.StreamWriter], Awaitable[None]] | None = None
    """Writes the answer itself."""
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)
    """Its connections."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a caller has gone while it was being answered."""
    url: str = ""

    @property
    def last(self) -> Request:
        return self.requests[-1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("peername")[1]
        serving = asyncio.current_task()
        assert serving is not None
        self.serving[serving] = writer
        try:
            while request := await read(reader, port):
                self.requests.append(request)
                self.asked.set()
                gone = asyncio.ensure_future(reader.read(1))
                answering = asyncio.ensure_future(self._answer(request, writer))
                await asyncio.wait({gone, answering}, return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    self.left.set()
                    answering.cancel()
                    return
                answering.result()
                gone.cancel()
                await asyncio.wait({gone})
        except ConnectionError:
            self.left.set()
        finally:
            writer.close()
            del self.serving[serving]

    async def leave(self) -> None:
        """Break off all connections."""
        serving = list(self.serving)
        for writer in self.serving.values():
            writer.transport.abort()
        await asyncio.gather(*serving)

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if self.raw is not None:
            await self.raw(request, writer)
            return
        status, headers, body = await self.handler(request) if self.handler else self.reply
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} Said\r\ncontent-length: {len(body)}\r\n{lines}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()


async def read(reader: asyncio.StreamReader, port: int) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(first.split(" ")[1], headers, body, port)


@dataclass
class Router:
    """A router process."""

    process: subprocess.Popen[str]
    url: str

    def stop(self) -> int:
        """Tell it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def log(self) -> list[dict[str, Any]]:
        """What it has logged; it must have ended."""
        assert self.process.stderr is not None
        return [orjson.loads(line) for line in self.process.stderr]


@contextmanager
def running(
    graph: dict[str, Any], *flags: str, env: dict[str, str], sock: socket.socket | None = None
) -> Iterator[Router]:
    sock = sock or socket.create_server(("127.0.0.1", 0))
    fd = sock.fileno()
    told = ["--graph_name=animals", *flags, "--graph-json", orjson.dumps(graph).decode()]
    process = subprocess.Popen(
        [sys.executable, "-m", "predictors.graph", *told],
        cwd=ROOT,
        env={**os.environ, "ROUSE_LISTEN_FD": str(fd), **env},
        pass_fds=[fd],
        stderr=subprocess.PIPE,
        text=True,
    )
    port = sock.getsockname()[1]
    sock.close()
    try:
        yield Router(process, f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()
