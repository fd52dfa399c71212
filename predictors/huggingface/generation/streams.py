"""Texts on their way from the thread that makes them to the event loop that wants them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from predictors.openai.abilities import Piece
from predictors.serving.errors import RequestError

__all__ = ["Mail", "Stream"]

Item = Piece | RequestError


class Stream:
    """A `Generation`: its pieces are put in by `Mail`, in the event loop."""

    def __init__(self, prompt_tokens: int, prefix: str = "") -> None:
        self._prompt_tokens = prompt_tokens
        self._prefix = prefix
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self.loop = asyncio.get_running_loop()
        self.cancelled = False

    @property
    def prompt_tokens(self) -> int:
        """How many tokens the prompt has."""
        return self._prompt_tokens

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """The pieces, as they come. Raises the `RequestError` that the engine failed with."""
        try:
            if self._prefix:
                yield Piece(self._prefix, 0)
            while True:
                item = await self._items.get()
                if isinstance(item, RequestError):
                    raise item
                yield item
                if item.finish is not None:
                    return
        finally:
            self.close()

    def close(self) -> None:
        """Nobody wants the rest: the engine drops the text at its next step."""
        self.cancelled = True

    def put(self, item: Item) -> None:
        """Called in the event loop."""
        self._items.put_nowait(item)


class Mail:
    """Collects what one step made, and brings it to the event loop in one call."""

    def __init__(self) -> None:
        self._letters: list[tuple[Stream, Item]] = []

    def add(self, stream: Stream, item: Item) -> None:
        """Send with the next `flush`."""
        self._letters.append((stream, item))

    def flush(self) -> None:
        """Deliver; a loop that is closed wants nothing any more."""
        letters, self._letters = self._letters, []
        if not letters:
            return
        try:
            letters[0][0].loop.call_soon_threadsafe(_deliver, letters)
        except RuntimeError:
            return


def _deliver(letters: Sequence[tuple[Stream, Item]]) -> None:
    for stream, item in letters:
        stream.put(item)
