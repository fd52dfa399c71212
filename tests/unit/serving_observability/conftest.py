"""Servers of the models in this process, and places events are sent to."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from predictors.serving.application import Application
from predictors.serving.dataplane import DataPlane
from predictors.serving.listener import Listener
from predictors.serving.observation import Observer, Observers
from predictors.serving.router import Router
from tests.unit.serving_observability.models import Doubling, Talking


class Posted(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """An HTTP server that keeps what it is sent. `statuses` are answered first, then 200.

    `gate` holds its answers back.
    """

    def __init__(self) -> None:
        self.seen: list[Posted] = []
        self.statuses: list[int] = []
        self.answer = b""
        self.gate = threading.Event()
        self.gate.set()
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.gate.wait(20)
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                with receiver._changed:
                    receiver.seen.append(Posted(self.path, headers, body))
                    receiver._changed.notify_all()
                self.send_response(status)
                self.send_header("content-length", str(len(receiver.answer)))
                self.send_header("etag", '"1"')
                self.end_headers()
                self.wfile.write(receiver.answer)

            do_PUT = do_POST  # noqa: N815

            def log_message(self, *args: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def until(self, count: int) -> list[Posted]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.seen) >= count, 20), self.seen
            return list(self.seen)

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


Serve = Callable[..., str]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve both models to `observers`; the URL."""
    listeners: list[Listener] = []

    def begin(*observers: Observer) -> str:
        plane = DataPlane()
        plane.observers = Observers(observers) if observers else None
        router = Router(plane, {"name": "test"})
        plane.publish(Doubling("double"))
        plane.publish(Talking("talk"))
        sock = socket.create_server(("127.0.0.1", 0))
        listener = Listener(Application(plane, router), sock)
        listener.start()
        listeners.append(listener)
        return f"http://127.0.0.1:{sock.getsockname()[1]}"

    yield begin
    for listener in listeners:
        await listener.drain(5)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Logging as it was, when a test has configured it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
