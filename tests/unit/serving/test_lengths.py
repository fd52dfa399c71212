"""Bodies whose length is a lie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from predictors.serving.dataplane import DataPlane


async def _answer(port: int, length: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/models/double:predict HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"
    writer.write(head.encode() + b'{"instances": [[1, 2]]}')
    try:
        return await asyncio.wait_for(reader.read(4096), 10)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("length", ["-1", "-23", "+23", "1e3", "0x17", "many"])
async def test_a_length_that_is_none(
    serve: Callable[[DataPlane], str], model: Any, length: str
) -> None:
    plane = DataPlane()
    plane.publish(model)
    port = int(serve(plane).rpartition(":")[2])
    answer = await _answer(port, length)
    assert answer.startswith(b"HTTP/1.1 400"), answer
    assert not model.calls
