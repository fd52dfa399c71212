"""The warm parent: it has imported its framework, and gives a process to every predictor asked for.

It speaks to the node over the SOCK_SEQPACKET socket of ROUSE_WARM_FD: one JSON object a datagram,
file descriptors beside it. It starts no thread, because a thread does not survive a fork but the
locks it held do.

A fork of a process this size takes 5 ms, and the child's first touch of every page it writes as
much again. So from the first request on one spare child is kept ahead: forked, rehearsed, waiting.
It becomes the next predictor, and when that wake-up is over the parent makes another. A parent that
nobody has asked yet costs no second process.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import math
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, Protocol, runtime_checkable

import orjson

from predictors.serving.frozen import freeze
from predictors.serving.holes import fill
from predictors.serving.spawn import DATAGRAM, MAX_FDS, MalformedError, Spawn, id_of, parse

if TYPE_CHECKING:
    from predictors.serving.model import Runtime

__all__ = ["run_warm_parent"]

_log = logging.getLogger(__name__)

_REFILL_SECONDS: Final = 0.5
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
# Found before the first fork: looking it up takes longer than the call.
_prctl: Final = ctypes.CDLL(None, use_errno=True).prctl

Entry = Callable[[Sequence[str]], int]


def run_warm_parent(runtime: Runtime, entry: Entry) -> int:
    """Import, say so, then start `entry` for every request until the node hangs up."""
    number = os.environ.pop("ROUSE_WARM_FD", "")
    try:
        channel = socket.socket(fileno=int(number))
    except (ValueError, OSError) as error:
        _log.error("--warm needs ROUSE_WARM_FD, a socket: %r: %s", number, error)
        return 1
    # Set before numpy is imported (nothing above imports it): a BLAS pool would be threads of
    # this process. A replica forked from here therefore computes on one thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    started = perf_counter()
    importlib.import_module("predictors.serving.server")
    # Imported late there, because not every server has a cache; here it costs a wake-up nothing.
    importlib.import_module("predictors.storage.kept")
    runtime.warm()
    seconds = perf_counter() - started
    freeze()
    fill()
    with channel:
        parent = _Parent(channel, runtime, entry)
        parent.send(
            {
                "type": "ready",
                "framework": runtime.name,
                "pid": os.getpid(),
                "import_s": seconds,
                "modules": True,
            }
        )
        return parent.run()


@runtime_checkable
class _ExpectsOthers(Protocol):
    """A runtime whose parent reads for its children what all replicas of a model would read."""

    def expect(self, args: Sequence[str], env: Mapping[str, str]) -> None:
        """A process of these flags and variables may be asked for again. Starts no thread."""


class _Spare(NamedTuple):
    """A forked child that waits for its request on the other end of `channel`."""

    pid: int
    channel: socket.socket


class _Parent:
    def __init__(self, channel: socket.socket, runtime: Runtime, entry: Entry) -> None:
        self._channel = channel
        self._runtime = runtime
        self._entry = entry
        self._children: dict[int, str] = {}
        self._expects = runtime if isinstance(runtime, _ExpectsOthers) else None
        self._latest: Spawn | None = None
        self._spare: _Spare | None = None
        self._refill_at = math.inf
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False

    def run(self) -> int:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        channel = self._channel.fileno()
        while not self._stopping:
            readable, _, _ = select.select([channel, self._wake_read], [], [], self._patience())
            if self._wake_read in readable:
                os.read(self._wake_read, 4096)
            self._reap()
            if channel in readable and not self._receive():
                break
            if self._spare is None and monotonic() >= self._refill_at:
                self.refill()
        self._kill_children()
        return 0

    def send(self, message: dict[str, Any]) -> None:
        """Tell the node; a node that is gone is noticed as end of file on the channel."""
        try:
            self._channel.send(orjson.dumps(message))
        except OSError as error:
            _log.debug("the node does not listen: %s", error)

    def refill(self) -> None:
        """Have a spare child. Without one the next request costs a fork, so a failure may wait."""
        self._refill_at = monotonic() + _REFILL_SECONDS
        self._expect()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                pid = os.fork()
            except OSError as error:
                ours.close()
                _log.warning("no spare child: %s", error)
                return
            if pid == 0:
                ours.close()
                self._become(lambda: self._wait(theirs))
        self._spare = _Spare(pid, ours)

    def _expect(self) -> None:
        """Have the next children share what the latest has read for itself, if it lived."""
        latest, self._latest = self._latest, None
        if self._expects is None or latest is None:
            return
        if latest.id in self._children.values():
            self._expects.expect(latest.args, latest.env)
            fill()

    def _patience(self) -> float | None:
        """Seconds until a spare is due; None when there is one or none is due yet."""
        if self._spare is not None or math.isinf(self._refill_at):
            return None
        return max(0.0, self._refill_at - monotonic())

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _receive(self) -> bool:
        """Handle one datagram; False at end of file."""
        try:
            data, fds, flags, _ = socket.recv_fds(self._channel, DATAGRAM, MAX_FDS)
        except ConnectionError:
            return False
        if not data and not fds:
            return False
        try:
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise MalformedError("the datagram was truncated")
            answer = self._spawn(data, fds)
        except MalformedError as error:
            answer = {"type": "failed", "id": id_of(data), "error": f"bad request: {error}"}
        except OSError as error:
            answer = {"type": "failed", "id": id_of(data), "error": f"fork failed: {error}"}
        finally:
            for fd in fds:
                os.close(fd)
        self.send(answer)
        return True

    def _spawn(self, data: bytes, fds: Sequence[int]) -> dict[str, Any]:
        spawn = parse(data, fds)
        if spawn.module:
            # Not by the spare: that has been rehearsed for a predictor, and the next one needs it.
            self._share(spawn.module)
            pid = self._forked(spawn)
        else:
            pid = self._handed(data, fds) or self._forked(spawn)
            self._latest = spawn
        self._children[pid] = spawn.id
        return {"type": "spawned", "id": spawn.id, "pid": pid}

    def _handed(self, data: bytes, fds: Sequence[int]) -> int | None:
        """Give the request to the spare: its pid, or None if there is no spare alive."""
        spare, self._spare = self._spare, None
        self._refill_at = monotonic() + _REFILL_SECONDS
        if spare is None:
            return None
        with spare.channel:
            try:
                socket.send_fds(spare.channel, [data], fds)
            except OSError:
                return None
        return spare.pid

    def _share(self, module: str) -> None:
        """Import what every process of a module needs, once for all of them."""
        if f"{module}.server" in sys.modules:
            return
        try:
            importlib.import_module(f"{module}.server")
        except Exception as error:
            # Only the child is to fail of it, in its own log: this process has others to keep.
            _log.debug("%s shares nothing: %r", module, error)
        freeze()

    def _forked(self, spawn: Spawn) -> int:
        pid = os.fork()
        if pid == 0:
            self._become(lambda: spawn)
        return pid

    def _wait(self, channel: socket.socket) -> Spawn:
        """The spare's life until it is needed; it exits when the parent is gone."""
        # What `ps` and `rouse status` show: a spare is no replica until it has been asked.
        _prctl(_PR_SET_NAME, b"warm-spare")
        self._runtime.rehearse()
        with channel:
            data, fds, _, _ = socket.recv_fds(channel, DATAGRAM, MAX_FDS)
        if not data:
            raise SystemExit(0)
        _prctl(_PR_SET_NAME, b"predictor")
        return parse(data, fds)

    def _become(self, told: Callable[[], Spawn]) -> NoReturn:
        """The child: learn what to be, run it, and exit."""
        code = 1
        try:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self._channel.close()
            os.close(self._wake_read)
            os.close(self._wake_write)
            spawn = told()
            spawn.adopt()
            code = self._entry_of(spawn)(spawn.args)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Not sys.exit: the parent's clean-up is not this process's to do.
            os._exit(code)

    def _entry_of(self, spawn: Spawn) -> Entry:
        if not spawn.module:
            return self._entry
        # What `rouse status` shows: its command line is this parent's.
        _prctl(_PR_SET_NAME, f"guest-{spawn.module.rpartition('.')[2]}".encode())
        entry: Entry = importlib.import_module(f"{spawn.module}.cli").main
        return entry

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._spare is not None and self._spare.pid == pid:
                self._spare.channel.close()
                self._spare = None
            name = self._children.pop(pid, None)
            if name is not None:
                code = os.waitstatus_to_exitcode(status)
                self.send({"type": "exited", "id": name, "pid": pid, "status": code})

    def _kill_children(self) -> None:
        pids = list(self._children)
        if self._spare is not None:
            self._spare.channel.close()
            pids.append(self._spare.pid)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)
