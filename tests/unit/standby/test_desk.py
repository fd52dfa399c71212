"""What a standby answers on its port, to whoever sends what."""

from __future__ import annotations

import asyncio
import socket

import pytest

from predictors.serving.standby import desk as module
from predictors.serving.standby.desk import TAKE_PATH, Desk


async def said(*sent: bytes) -> bytes:
    """What comes back on one connection."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        async with Desk(sock, lambda body, signature: (202, f"{body!r} by {signature}")):
            reader, writer = await asyncio.open_connection(*sock.getsockname())
            for each in sent:
                writer.write(each)
                await writer.drain()
            answer = await reader.read()
            writer.close()
            return answer


@pytest.mark.parametrize(
    ("request_", "status", "text"),
    [
        (b"GET /v2/health/ready HTTP/1.1\r\n\r\n", 200, b'"standby":true'),
        (b"HEAD / HTTP/1.0\r\nhost: x\r\n\r\n", 200, b""),
        (b"GET /v2/models/iris HTTP/1.1\r\n\r\n", 404, b"no model yet"),
        (b"DELETE / HTTP/1.1\r\n\r\n", 404, b""),
        (b"garbage\r\n\r\n", 400, b"HTTP/1.1 is spoken here"),
        (b"GET / HTTP/2.0\r\n\r\n", 400, b""),
        (f"POST {TAKE_PATH} HTTP/1.1\r\n\r\n".encode(), 411, b"content-length"),
        (f"POST {TAKE_PATH} HTTP/1.1\r\ncontent-length: -1\r\n\r\n".encode(), 411, b""),
        (f"POST {TAKE_PATH} HTTP/1.1\r\ncontent-length: {9**99}\r\n\r\n".encode(), 413, b""),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 20_000 + b"\r\n\r\n", 431, b"too long"),
        (
            f"POST {TAKE_PATH} HTTP/1.1\r\nContent-Length: 2\r\n".encode()
            + b"Rouse-Signature: me\r\n\r\nhi",
            202,
            b"b'hi' by me",
        ),
    ],
)
async def test_answers(request_: bytes, status: int, text: bytes) -> None:
    answer = await said(request_)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert text in answer


async def test_who_sends_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    assert await said(b"GET / HT") == b""


async def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 0)
    assert await said() == b""
