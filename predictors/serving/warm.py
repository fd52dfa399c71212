"""The warm parent: it has imported its framework, and forks a predictor on demand.

It speaks to the node over the SOCK_SEQPACKET socket of ROUSE_WARM_FD: one JSON object a datagram,
file descriptors beside it. It starts no thread, because a thread does not survive a fork but the
locks it held do.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import logging
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NoReturn

import orjson

if TYPE_CHECKING:
    from predictors.serving.model import Runtime

__all__ = ["run_warm_parent"]

_log = logging.getLogger(__name__)

_DATAGRAM: Final = 64 * 1024
_MAX_FDS: Final = 8
_PR_SET_PDEATHSIG: Final = 1
# Found before the first fork: looking it up takes longer than the call.
_prctl: Final = ctypes.CDLL(None, use_errno=True).prctl

Entry = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class _Spawn:
    """A request to start a predictor; `fds` are its stdout, stderr and listening socket."""

    id: str
    args: list[str]
    env: dict[str, str]
    cwd: str
    fds: tuple[int, int, int]


class _MalformedError(Exception):
    """A datagram that is no spawn request."""


def run_warm_parent(runtime: Runtime, entry: Entry) -> int:
    """Import, say so, then fork `entry` for every request until the node hangs up."""
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
    runtime.warm()
    seconds = perf_counter() - started
    # What is imported is never garbage; frozen, it stays in pages shared by all children.
    gc.collect()
    gc.freeze()
    with channel:
        parent = _Parent(channel, entry)
        parent.send(
            {"type": "ready", "framework": runtime.name, "pid": os.getpid(), "import_s": seconds}
        )
        return parent.run()


class _Parent:
    def __init__(self, channel: socket.socket, entry: Entry) -> None:
        self._channel = channel
        self._entry = entry
        self._children: dict[int, str] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False

    def run(self) -> int:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        while not self._stopping:
            channel = self._channel.fileno()
            readable, _, _ = select.select([channel, self._wake_read], [], [])
            if self._wake_read in readable:
                os.read(self._wake_read, 4096)
            self._reap()
            if channel in readable and not self._receive():
                break
        self._kill_children()
        return 0

    def send(self, message: dict[str, Any]) -> None:
        """Tell the node; a node that is gone is noticed as end of file on the channel."""
        try:
            self._channel.send(orjson.dumps(message))
        except OSError as error:
            _log.debug("the node does not listen: %s", error)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _receive(self) -> bool:
        """Handle one datagram; False at end of file."""
        try:
            data, fds, flags, _ = socket.recv_fds(self._channel, _DATAGRAM, _MAX_FDS)
        except ConnectionError:
            return False
        if not data and not fds:
            return False
        try:
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise _MalformedError("the datagram was truncated")
            spawn = _parse(data, fds)
            self._spawn(spawn)
        except _MalformedError as error:
            self.send({"type": "failed", "id": _id_of(data), "error": f"bad request: {error}"})
        except OSError as error:
            self.send({"type": "failed", "id": _id_of(data), "error": f"fork failed: {error}"})
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _spawn(self, spawn: _Spawn) -> None:
        pid = os.fork()
        if pid == 0:
            self._become(spawn)
        self._children[pid] = spawn.id
        self.send({"type": "spawned", "id": spawn.id, "pid": pid})

    def _become(self, spawn: _Spawn) -> NoReturn:
        """The child: take over the request's descriptors and environment, run, and exit."""
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
            _adopt(spawn)
            code = self._entry(spawn.args)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Not sys.exit: the parent's clean-up is not this process's to do.
            os._exit(code)

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._children.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            if name is not None:
                self.send({"type": "exited", "id": name, "pid": pid, "status": code})

    def _kill_children(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in list(self._children):
            os.waitpid(pid, 0)
            del self._children[pid]


def _adopt(spawn: _Spawn) -> None:
    stdout, stderr, listener = spawn.fds
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for fd in (null, stdout, stderr):
        os.close(fd)
    os.chdir(spawn.cwd)
    os.environ.clear()
    os.environ.update(spawn.env)
    os.environ["ROUSE_LISTEN_FD"] = str(listener)
    random = sys.modules.get("numpy.random")
    if random is not None:
        # Python reseeds its own generator after a fork; numpy's would repeat in every child.
        random.seed()


def _parse(data: bytes, fds: Sequence[int]) -> _Spawn:
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _MalformedError(f"not JSON: {error}") from None
    if not isinstance(message, dict) or message.get("type") != "spawn":
        raise _MalformedError('a message of type "spawn" is expected')
    if len(fds) != 3:
        raise _MalformedError(f"3 file descriptors are expected, got {len(fds)}")
    name, cwd = message.get("id"), message.get("cwd")
    if not isinstance(name, str) or not isinstance(cwd, str):
        raise _MalformedError("id and cwd must be strings")
    args, env = message.get("args"), message.get("env")
    if not isinstance(args, list) or not all(isinstance(item, str) for item in args):
        raise _MalformedError("args must be a list of strings")
    if not isinstance(env, dict) or not all(isinstance(item, str) for item in env.values()):
        raise _MalformedError("env must be an object of strings")
    return _Spawn(name, args, env, cwd, (fds[0], fds[1], fds[2]))


def _id_of(data: bytes) -> str | None:
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    name = message.get("id") if isinstance(message, dict) else None
    return name if isinstance(name, str) else None
