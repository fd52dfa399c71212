"""Models of user code served over HTTP in this process."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from predictors.custom.runtime import CustomRuntime
from predictors.serving.application import Application
from predictors.serving.dataplane import DataPlane
from predictors.serving.listener import Listener
from predictors.serving.model import Model
from predictors.serving.router import Router

Serve = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture(autouse=True)
def _imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what loading user code does to this interpreter."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("MODEL_CLASS", "ROUSE_UNSAFE_FORMATS", "STORAGE_URI"):
        monkeypatch.delenv(name, raising=False)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if name in ("model", "models", "preprocess") or "/pytest-" in file:
            del sys.modules[name]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Load the class in a folder and serve it as model ``m``; a client of it."""
    models: list[Model] = []
    listeners: list[Listener] = []
    clients: list[httpx.AsyncClient] = []

    async def begin(folder: Path, named: str | None = None) -> httpx.AsyncClient:
        model = CustomRuntime(named).model("m", folder)
        await asyncio.to_thread(model.load)
        models.append(model)
        plane = DataPlane(["m"])
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        router = Router(plane, {"name": "test"})
        listener = Listener(Application(plane, router), sock)
        listener.start()
        listeners.append(listener)
        plane.publish(model)
        client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20)
        clients.append(client)
        return client

    yield begin
    for client in clients:
        await client.aclose()
    for listener in listeners:
        await listener.drain(5)
    for model in models:
        await asyncio.to_thread(model.unload)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write user code into a folder; the folder."""

    def to(code: str, name: str = "model.py") -> Path:
        (tmp_path / name).write_text(code)
        return tmp_path

    return to
