"""Answers sent part by part, and server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson

from predictors.serving.bodies import Exchange
from predictors.serving.errors import RequestError

__all__ = ["send", "sse", "told"]


async def send(
    exchange: Exchange,
    parts: AsyncIterator[bytes],
    headers: list[tuple[str, str]],
    status: int = 200,
) -> None:
    """Send `parts` as they come, until the client is gone.

    The head waits for the first part, so that what fails before it is answered as an error.
    """
    try:
        first = await anext(parts, None)
        transport = exchange.response_stream(status, headers)
        if first is None:
            return
        await transport.send_bytes(first)
        async for part in parts:
            await transport.send_bytes(part)
    except RuntimeError:
        # Granian's word for a connection that is closed: nobody wants the rest.
        return
    finally:
        close = getattr(parts, "aclose", None)
        if close is not None:
            await close()


def sse(bodies: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """One event per body; an error after the first is the last event, named ``error``."""
    return told(b"data: " + body.replace(b"\n", b"\ndata: ") + b"\n\n" async for body in bodies)


async def told(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Events as they are; an error after the first is the last event, named ``error``."""
    begun = False
    try:
        async for event in events:
            yield event
            begun = True
    except RequestError as error:
        if not begun:
            raise
        yield b"event: error\ndata: " + orjson.dumps({"error": str(error)}) + b"\n\n"
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
