"""Lets only so many containers start at once, each in its turn.

A hundred that start together on a few cores are all slow, the first as much as the last; some so
slow that they are given up, and started again. In turn, each is as fast as it would be alone.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Pass", "StartGate"]


class StartGate:
    """``width`` containers at once; one that takes longer than ``hold_s`` lets the next begin."""

    def __init__(self, width: int, hold_s: float) -> None:
        self._free = width
        self._hold_s = hold_s
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> Pass:
        """Wait for one's turn; whoever has it gives it back by `Pass.leave`."""
        if self._free:
            self._free -= 1
            return Pass(self, self._hold_s)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # its turn came in the same moment
            raise
        return Pass(self, self._hold_s)

    def release(self) -> None:
        """Let the next one in."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class Pass:
    """The right to start now. It ends by itself after the gate's time."""

    def __init__(self, gate: StartGate, hold_s: float) -> None:
        self._gate = gate
        self._left = False
        self._timer = asyncio.get_running_loop().call_later(hold_s, self.leave)

    def leave(self) -> None:
        """The start is over, well or not. May be called again."""
        if not self._left:
            self._left = True
            self._timer.cancel()
            self._gate.release()
