"""Several processes serving one port: forked after the imports, supervised, counted as one.

The parent imports the framework and fetches the model once, then forks; it serves nothing itself.
A worker that dies is started again, after longer and longer pauses if it dies young; one whose
event loop stands still is killed first, since connections it has taken would wait for ever. Workers
die with their parent.
"""

from __future__ import annotations

import ctypes
import logging
import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Final, NoReturn

from predictors.serving.errors import StartupError
from predictors.serving.fellows import SharedChanges, Worker
from predictors.serving.frozen import freeze
from predictors.serving.holes import fill
from predictors.serving.metrics.shared import SharedTexts
from predictors.serving.model import PlacesWorkers, Runtime
from predictors.serving.notify import Notifier
from predictors.serving.settings import Settings
from predictors.storage import fetched

__all__ = ["supervise"]

_log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG: Final = 1
_prctl: Final = ctypes.CDLL(None, use_errno=True).prctl
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 30.0
_STEADY_SECONDS: Final = 10.0
_GRACE_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 1.0
_INDEX: Final = struct.Struct("=I")

Run = Callable[..., int]


def supervise(
    settings: Settings, runtime: Runtime, notifier: Notifier, sock: socket.socket, run: Run
) -> int:
    """Keep `settings.workers` processes serving until SIGTERM or SIGINT; the exit code.

    `run` serves in a worker. Raises `StartupError` if the first workers cannot serve.
    """
    # Set before a framework is imported: a BLAS pool would be threads, which no fork survives.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with notifier.phase("import"):
        runtime.prepare()
    with ExitStack() as stack:
        if not settings.repository:
            with notifier.phase("fetch"):
                folder = stack.enter_context(fetched(settings.source, env=os.environ))
            settings = replace(settings, source=str(folder))
        freeze()
        fill()
        supervisor = _Supervisor(settings, notifier, partial(run, settings, runtime), sock)
        if isinstance(runtime, PlacesWorkers):
            supervisor.place = runtime.become_worker
        return supervisor.watch()


@dataclass
class _Worker:
    """One place among the workers: its process, or when it may have the next one.

    `missed` counts the looks at which a worker that was `ready` showed no sign of life since
    `count`.
    """

    index: int
    pid: int = 0
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    due: float = 0.0
    ready: bool = False
    count: int = 0
    missed: int = 0


class _Supervisor:
    def __init__(
        self, settings: Settings, notifier: Notifier, run: Callable[..., int], sock: socket.socket
    ) -> None:
        self._run = run
        self.place: Callable[[int], None] | None = None
        # All workers share this flag: one that made it blocking would make the others hang.
        sock.setblocking(False)
        self._sock = sock
        self._notifier = notifier
        self._drain_seconds = settings.drain_seconds
        self._workers = [_Worker(index) for index in range(settings.workers)]
        self._texts = SharedTexts(settings.workers)
        self._changes = SharedChanges(settings.workers)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._ready_read, self._ready_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._ready = 0
        self._stopping = False
        self._hang_seconds = settings.hang_seconds
        self._look_at = 0.0

    def watch(self) -> int:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        try:
            while not self._stopping:
                self._start_due()
                self._wait(self._patience())
                self._look()
                self._reap()
        except BaseException:
            self._end(signal.SIGKILL, _GRACE_SECONDS)
            raise
        return self._end(signal.SIGTERM, self._drain_seconds + _GRACE_SECONDS)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _start_due(self) -> None:
        for worker in self._workers:
            if not worker.pid and monotonic() >= worker.due:
                late = worker.index > 0 or worker.started > 0
                worker.started = monotonic()
                worker.ready, worker.missed = False, 0
                worker.pid = os.fork()
                if worker.pid == 0:
                    self._become(worker.index, late=late)

    def _patience(self) -> float:
        dues = [worker.due for worker in self._workers if not worker.pid]
        return max(0.0, min([*dues, self._look_at]) - monotonic())

    def _look(self) -> None:
        """Kill workers that stand still.

        Looks are counted, not seconds: a machine that slept has made nobody hang.
        """
        if monotonic() < self._look_at:
            return
        self._look_at = monotonic() + _LOOK_SECONDS
        for worker in self._workers:
            count = self._texts.count(worker.index)
            if not worker.pid or not worker.ready or count != worker.count:
                worker.count, worker.missed = count, 0
                continue
            worker.missed += 1
            if 0 < self._hang_seconds <= worker.missed * _LOOK_SECONDS:
                _log.error(
                    "worker %d (process %d) stood still for %g s and is killed",
                    worker.index,
                    worker.pid,
                    worker.missed * _LOOK_SECONDS,
                )
                os.kill(worker.pid, signal.SIGKILL)
                worker.missed = 0

    def _wait(self, seconds: float) -> None:
        readable, _, _ = select.select([self._wake_read, self._ready_read], [], [], seconds)
        if self._wake_read in readable:
            os.read(self._wake_read, 4096)
        if self._ready_read in readable:
            before = self._ready
            for (index,) in _INDEX.iter_unpack(os.read(self._ready_read, 4096)):
                self._workers[index].ready = True
                self._ready += 1
            if before < len(self._workers) <= self._ready:
                self._notifier.ready()
                _log.info("%d workers are ready", len(self._workers))

    def _reap(self) -> None:
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid or self._stopping:
                worker.pid = 0 if pid else worker.pid
                continue
            code = os.waitstatus_to_exitcode(status)
            if self._ready < len(self._workers):
                raise StartupError(f"worker {worker.index} ended with {code}; see the log above.")
            self._texts.bury(worker.index)
            self._changes.bury(worker.index)
            now = monotonic()
            young = now - worker.started < _STEADY_SECONDS
            worker.pause = min(worker.pause * 2, _LONGEST_PAUSE) if young else _FIRST_PAUSE
            worker.pid, worker.due = 0, now + worker.pause
            _log.error(
                "worker %d (process %d) ended with %d; another starts in %.1f s",
                worker.index,
                pid,
                code,
                worker.pause,
            )

    def _end(self, number: signal.Signals, seconds: float) -> int:
        """Stop all workers, by force after `seconds`; 1 if one of them did not end well."""
        code = 0
        alive = {worker.pid for worker in self._workers if worker.pid}
        for pid in alive:
            os.kill(pid, number)
        deadline = monotonic() + seconds
        while alive:
            for pid in list(alive):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    alive.discard(pid)
                    code = code or min(1, abs(os.waitstatus_to_exitcode(status)))
            if alive and monotonic() >= deadline:
                for pid in alive:
                    os.kill(pid, signal.SIGKILL)
                deadline = monotonic() + seconds
            if alive:
                select.select([self._wake_read], [], [], 0.05)
        return code

    def _become(self, index: int, *, late: bool) -> NoReturn:
        """The worker: serve, and exit."""
        code = 1
        parent = os.getppid()
        try:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                raise SystemExit(1)  # it died before it was watched
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.close(self._wake_read)
            os.close(self._wake_write)
            os.close(self._ready_read)
            if self.place is not None:
                self.place(index)
            notifier = _WorkerNotifier(self._ready_write, index)
            fellow = Worker(self._changes, index)
            shared = self._texts.of(index)
            code = self._run(notifier, self._sock.dup(), shared, fellow, late=late)
        except StartupError as error:
            _log.error("worker %d: %s", index, error)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


class _WorkerNotifier(Notifier):
    """Tells the supervisor, which tells the node."""

    def __init__(self, pipe: int, index: int) -> None:
        super().__init__(None)
        self._pipe = pipe
        self._index = index

    def ready(self) -> None:
        """The worker answers from now on."""
        os.write(self._pipe, _INDEX.pack(self._index))
