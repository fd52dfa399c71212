"""How long a request is worked on: until its deadline, and as long as its client is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Final, TypeVar

from predictors.serving.bodies import Exchange
from predictors.serving.errors import InvalidInputError, RequestError

__all__ = ["TIMEOUT_HEADER", "ClientGoneError", "patience_of", "while_there"]

TIMEOUT_HEADER: Final = "x-request-timeout-ms"
_CLIENT_GONE: Final = 499
_QUICK_S: Final = 0.02
"""Answers that are there by then need nobody who looks for their client: that takes 40 us."""
_LONGEST_S: Final = 1e9
"""More than anybody waits, and still a number that others can read."""

_T = TypeVar("_T")


class ClientGoneError(RequestError):
    """Nobody is there to be answered."""

    status = _CLIENT_GONE

    def __init__(self) -> None:
        super().__init__("The client went away before its answer was there.")


def patience_of(headers: Mapping[str, str]) -> float | None:
    """Seconds the client gives its request; None without an end.

    Raises `InvalidInputError`.
    """
    text = headers.get(TIMEOUT_HEADER)
    if text is None:
        return None
    try:
        seconds = float(text) / 1e3
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf") or "_" in text:
        raise InvalidInputError(f"{TIMEOUT_HEADER} must be milliseconds, got {text[:40]!r}.")
    return min(seconds, _LONGEST_S)


async def while_there(exchange: Exchange, answering: Awaitable[_T]) -> _T:
    """The result, unless the client goes away before: then what is left to do is cancelled.

    Raises `ClientGoneError`, and whatever `answering` raises.
    """
    task = asyncio.ensure_future(answering)
    gone = None
    try:
        await asyncio.wait((task,), timeout=_QUICK_S)
        if not task.done():
            gone = asyncio.ensure_future(exchange.client_disconnect())
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGoneError
        return task.result()
    finally:
        if gone is not None:
            gone.cancel()
        task.cancel()
