"""Asking services on behalf of one request: with its headers, within its time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from predictors.graph.messages import Answer, Message
from predictors.graph.targets import Target
from predictors.graph.upstream import Client
from predictors.serving.patience import TIMEOUT_HEADER

if TYPE_CHECKING:
    from predictors.serving.tracing.spans import Tracer

__all__ = ["Asking"]


class Asking:
    """Asks services on behalf of one request.

    ``deadline`` is the request's by the loop's time, ``most`` the seconds of one call or 0; one
    that is ``patient`` has a client that says how long it waits, and so do its steps. ``lines`` are
    the headers that every service gets.
    """

    __slots__ = ("_client", "_deadline", "_most", "_patient", "_tracer", "lines")

    def __init__(
        self,
        client: Client,
        lines: bytes,
        *,
        deadline: float | None,
        most: float,
        patient: bool,
        tracer: Tracer | None,
    ) -> None:
        self._client = client
        self.lines = lines
        self._deadline = deadline
        self._most = most
        self._patient = patient
        self._tracer = tracer

    async def __call__(self, target: Target, message: Message, *, streamed: bool) -> Answer:
        """The answer of a service. Raises `RequestError`."""
        lines, deadline = self.lines, self._deadline
        if self._most or deadline is not None:
            now = asyncio.get_running_loop().time()
            if self._patient and deadline is not None:
                left = max(0.0, deadline - now) * 1e3
                lines += f"{TIMEOUT_HEADER}: {left:.0f}\r\n".encode()
            if self._most:
                deadline = now + self._most if deadline is None else min(deadline, now + self._most)
        if self._tracer is not None:
            told = self._tracer.outgoing()
            lines += "".join(f"{name}: {value}\r\n" for name, value in told.items()).encode()
        return await self._client.post(target, message, lines, deadline=deadline, streamed=streamed)
