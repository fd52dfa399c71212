"""Parts of the engine that are processes of their own: started, told ready, restarted, stopped."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rouse.embedded.processes import ExecProcess, start_process
from rouse.errors import ProcessError

__all__ = ["Child"]

_LOG: Final = logging.getLogger(__name__)
_FIRST_BACKOFF_S: Final = 0.2
_LAST_BACKOFF_S: Final = 10.0
_HEALTHY_AFTER_S: Final = 30.0
_STOP_GRACE_S: Final = 5.0
_LOG_TAIL_LINES: Final = 12


class Child:
    """One process that writes a line to ``--ready-fd`` when it is ready; restarted when it dies."""

    def __init__(self, name: str, argv: Sequence[str], log: Path) -> None:
        self.name = name
        self._argv = tuple(argv)
        self._log = log
        self._process: ExecProcess | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self, *, timeout_s: float) -> None:
        """Start it and wait until it is ready; raises ProcessError with its last log lines."""
        await self._launch(timeout_s)
        self._keeper = asyncio.create_task(self._keep(timeout_s), name=f"keep {self.name}")

    async def stop(self) -> None:
        """Stop it for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._process is not None:
            await self._process.stop(_STOP_GRACE_S)

    async def _launch(self, timeout_s: float) -> None:
        read_fd, write_fd = os.pipe()
        try:
            with self._log.open("ab") as output:
                self._process = start_process(
                    [*self._argv, f"--ready-fd={write_fd}"],
                    env=os.environ,
                    cwd=str(self._log.parent),
                    stdout=output.fileno(),
                    stderr=output.fileno(),
                    pass_fds=(write_fd,),
                )
        finally:
            os.close(write_fd)
        try:
            told = await _readable(read_fd, timeout_s)
        finally:
            os.close(read_fd)
        if not told:
            await self._process.stop(0)
            tail = self._tail()
            raise ProcessError(
                f"the {self.name} was not ready within {timeout_s:g} s; the end of {self._log}:\n"
                + "\n".join(tail),
                log_tail=tail,
            )

    async def _keep(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        backoff = _FIRST_BACKOFF_S
        while True:
            began = loop.time()
            process = self._process
            if process is not None:
                status = await process.wait()
                _LOG.warning("the %s ended with %d; starting it again", self.name, status)
            if loop.time() - began > _HEALTHY_AFTER_S:
                backoff = _FIRST_BACKOFF_S
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LAST_BACKOFF_S)
            try:
                await self._launch(timeout_s)
            except ProcessError as error:
                _LOG.error("%s", error)

    def _tail(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]


async def _readable(fd: int, timeout_s: float) -> bytes:
    """What is written to the pipe first; b'' when it is closed unwritten or nothing comes."""
    loop = asyncio.get_running_loop()
    come = asyncio.Event()
    loop.add_reader(fd, come.set)
    try:
        async with asyncio.timeout(timeout_s):
            await come.wait()
    except TimeoutError:
        return b""
    finally:
        loop.remove_reader(fd)
    return os.read(fd, 4096)
