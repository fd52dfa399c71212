"""Warm parents: processes that have imported a framework and fork replicas on demand.

The node holds one end of a SOCK_SEQPACKET socket pair; each datagram is one JSON message::

    parent -> node  {"type": "ready", "framework": "sklearn", "pid": 7, "import_s": 0.83,
                     "modules": true}   (whether it takes a "module" in "spawn")
    node -> parent  {"type": "spawn", "id": "...", "args": [...], "env": {...}, "cwd": "..."}
                    with file descriptors [stdout, stderr, listening socket]
    parent -> node  {"type": "spawned", "id": "...", "pid": 8}
                    {"type": "failed", "id": "...", "error": "..."}
                    {"type": "exited", "id": "...", "pid": 8, "status": 0}   (or minus a signal)

When the node closes its end, a parent kills its replicas and exits.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import orjson

from rouse.embedded.node.errors import WarmError
from rouse.embedded.node.logs import ContainerLog
from rouse.embedded.processes import ExecProcess, OwnedProcess, StartError, start_process

__all__ = ["ForkedProcess", "SpawnRequest", "WarmParent"]

_MAX_DATAGRAM: Final = 64 << 10
_EXIT_REPORT_S: Final = 1.0
_LOST: Final = -int(signal.SIGKILL)
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
"""A process with threads must not fork; and replicas of one machine share its cores anyway."""


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """A replica to fork; the descriptors stay the caller's."""

    id: str
    args: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: str
    fds: tuple[int, ...]
    """stdout, stderr, and the listening socket if there is one."""
    module: str = ""
    """The package that is run, where it is not the parent's own."""

    @property
    def fits(self) -> bool:
        """Whether one datagram holds it: a graph may be larger."""
        return len(self._data()) <= _MAX_DATAGRAM

    def encoded(self) -> bytes:
        """The datagram; raises WarmError when it is too large for one."""
        data = self._data()
        if len(data) > _MAX_DATAGRAM:
            raise WarmError(
                f"{self.id}: {len(data)} bytes of arguments and environment are too many"
            )
        return data

    def _data(self) -> bytes:
        message = {"type": "spawn", "id": self.id, "args": self.args, "env": self.env}
        module = {"module": self.module} if self.module else {}
        return orjson.dumps({**message, "cwd": self.cwd, **module})


class ForkedProcess(OwnedProcess):
    """A replica: a child of a warm parent, which reaps it and reports how it ended."""

    def __init__(self, pid: int) -> None:
        self._orphan = False
        super().__init__(pid)

    def report(self, status: int) -> None:
        """The parent says how it ended."""
        self._resolve(status)

    def orphan(self) -> None:
        """The parent is gone: nobody will report. The kernel kills replicas with their parent; this
        makes sure."""
        self._orphan = True
        self.kill()

    def _finish(self) -> None:
        # the parent's report carries the status and follows at once
        self._loop.call_later(0 if self._orphan else _EXIT_REPORT_S, self._resolve, _LOST)


class WarmParent:
    """One running warm parent and its replicas."""

    def __init__(self, process: ExecProcess, channel: socket.socket, log: ContainerLog) -> None:
        self.process = process
        self.framework = ""
        self.forks = 0
        """How many replicas it has forked so far."""
        self._channel = channel
        self._log = log
        self._ready = asyncio.Event()
        self._lost = False
        self._modules = False
        self._pending: dict[str, asyncio.Future[ForkedProcess]] = {}
        self._replicas: dict[int, ForkedProcess] = {}
        asyncio.get_running_loop().add_reader(channel, self._readable)

    @classmethod
    def start(
        cls, command: tuple[str, ...], *, base: Mapping[str, str], cwd: str, log: Path
    ) -> Self:
        """Start ``command --warm``; it becomes ready later. Raises StartError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output = ContainerLog(log)
        pipes = [output.open_pipe("stdout"), output.open_pipe("stderr")]
        try:
            process = start_process(
                [*command, "--warm"],
                env={**base, **_ONE_THREAD, "ROUSE_WARM_FD": str(theirs.fileno())},
                cwd=cwd,
                stdout=pipes[0],
                stderr=pipes[1],
                pass_fds=[theirs.fileno()],
            )
        except StartError:
            ours.close()
            output.close()
            raise
        finally:
            theirs.close()
            for fd in pipes:
                os.close(fd)
        ours.setblocking(False)
        return cls(process, ours, output)

    @property
    def idle(self) -> bool:
        """Whether it has no replica."""
        return not self._replicas

    @property
    def lends(self) -> bool:
        """Whether it is there, and forks processes of other packages too."""
        return self._modules and not self._lost

    @property
    def log_tail(self) -> tuple[str, ...]:
        """The last lines it wrote."""
        return self._log.tail

    async def ready(self, timeout_s: float) -> None:
        """Wait until its framework is imported. Raises WarmError when it dies or is too slow."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError as error:
            message = f"warm parent {self.process.pid} was not ready in {timeout_s:g} s"
            raise WarmError(message) from error
        if self._lost:
            raise WarmError(
                f"warm parent {self.process.pid} died: {' | '.join(self.log_tail[-3:])}"
            )

    async def spawn(self, request: SpawnRequest, timeout_s: float) -> ForkedProcess:
        """Fork a replica. Raises WarmError; a replica that comes too late is killed."""
        await self.ready(timeout_s)
        datagram = request.encoded()
        answer: asyncio.Future[ForkedProcess] = asyncio.get_running_loop().create_future()
        self._pending[request.id] = answer
        try:
            socket.send_fds(self._channel, [datagram], request.fds)
            async with asyncio.timeout(timeout_s):
                return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                answer.result().kill()  # it came in the moment of the cancellation
            raise
        except TimeoutError as error:
            if self.idle:
                self.process.kill()  # it serves nobody, so a fresh one may take its place
            message = f"warm parent {self.process.pid} did not fork {request.id} in {timeout_s:g} s"
            raise WarmError(message) from error
        except OSError as error:
            raise WarmError(f"warm parent {self.process.pid} takes no request: {error}") from error

    async def stop(self, grace_s: float) -> None:
        """End it and its replicas."""
        self.lose()
        await self.process.stop(grace_s)
        await asyncio.gather(*(replica.stop(0) for replica in list(self._replicas.values())))
        self._log.close()

    def lose(self) -> None:
        """Let go of it: no more requests; its replicas die with it. May be called again."""
        if self._lost:
            return
        self._lost = True
        self._ready.set()
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(WarmError(f"warm parent {self.process.pid} died"))
        self._pending.clear()
        for replica in list(self._replicas.values()):
            replica.orphan()

    def _readable(self) -> None:
        while not self._lost:
            try:
                data = self._channel.recv(_MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.lose()
                self.process.signal(signal.SIGTERM)
                return
            try:
                self._handle(orjson.loads(data))
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                self._log.write(
                    "stderr", f"[rouse: not a message of the warm protocol: {data[:200]!r}]"
                )

    def _handle(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "ready":
                self.framework = str(message.get("framework", ""))
                self._modules = message.get("modules") is True
                self._ready.set()
            case "spawned":
                self._spawned(str(message["id"]), int(message["pid"]))
            case "failed":
                answer = self._pending.pop(str(message["id"]), None)
                if answer is not None and not answer.done():
                    answer.set_exception(WarmError(f"fork failed: {message.get('error', '')}"))
            case "exited":
                replica = self._replicas.get(int(message["pid"]))
                if replica is not None:
                    replica.report(int(message["status"]))

    def _spawned(self, id_: str, pid: int) -> None:
        replica = ForkedProcess(pid)
        self.forks += 1
        self._replicas[pid] = replica
        replica.exited.add_done_callback(lambda _: self._replicas.pop(pid, None))
        answer = self._pending.pop(id_, None)
        if answer is None or answer.done():
            replica.kill()  # whoever asked has gone
        else:
            answer.set_result(replica)
