"""Starting the engine in the background and stopping it: what `rouse up` and `rouse down` do."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from rouse.embedded.engine.proc import Process, descendants
from rouse.embedded.engine.state import EngineState, is_locked, process_start, running
from rouse.embedded.home import Home
from rouse.embedded.ports import ensure_free
from rouse.errors import EngineError, ProcessError

__all__ = ["EngineOptions", "start", "stop"]

_LOG_TAIL_LINES = 12
_POLL_S = 0.02


@dataclass(frozen=True)
class EngineOptions:
    """What `rouse up` can choose. Ports are on 127.0.0.1."""

    api_port: int = 6443
    gateway_port: int = 8080
    warm: tuple[str, ...] = ("sklearn",)
    """Predictors whose warm parent is started with the engine rather than on first use."""

    def argv(self) -> list[str]:
        """The options as the engine's process takes them."""
        return [
            f"--api-port={self.api_port}",
            f"--gateway-port={self.gateway_port}",
            f"--warm={','.join(self.warm)}",
        ]


def start(home: Home, options: EngineOptions, *, timeout_s: float = 60.0) -> EngineState:
    """Start the engine in the background; return when everything is ready.

    Raises PortInUseError before anything is started, EngineError when the engine is already
    running, when both ports are the same, or when it does not become ready within ``timeout_s``,
    ProcessError with its last log lines when it dies.
    """
    home.prepare()
    if (already := running(home)) is not None:
        raise EngineError(f"the engine is already running (pid {already.pid})")
    if options.api_port == options.gateway_port:
        raise EngineError(
            f"port {options.api_port} is wanted for both the Kubernetes API and the ingress "
            "gateway; give --api-port and --gateway-port different ones"
        )
    if is_locked(home):
        return _await_other(home, timeout_s)
    ensure_free(options.api_port, purpose="the Kubernetes API", option="--api-port")
    ensure_free(options.gateway_port, purpose="the ingress gateway", option="--gateway-port")
    read_fd, write_fd = os.pipe()
    log = home.logs / "engine.log"
    command = [sys.executable, "-m", "rouse.embedded.engine", f"--home={home.root}"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, *options.argv(), f"--ready-fd={write_fd}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(write_fd,),
            start_new_session=True,
            cwd=home.root,
        )
    os.close(write_fd)
    try:
        message = _read_message(read_fd, timeout_s)
    finally:
        os.close(read_fd)
    if message is None:
        _kill_tree(process.pid)
        raise EngineError(f"the engine was not ready after {timeout_s:.0f} s; its log is {log}")
    if not message:
        raise ProcessError(
            f"the engine stopped while starting; the end of {log}:\n" + _tail(log),
            log_tail=_tail(log).splitlines(),
        )
    answer = orjson.loads(message)
    if "error" in answer:
        process.wait(10)
        raise EngineError(answer["error"])
    state = running(home)
    if state is None:
        raise EngineError(f"the engine said it was ready and is gone; its log is {log}")
    return state


def stop(home: Home, *, timeout_s: float = 30.0) -> bool:
    """Stop the engine and everything it started; False when none was running.

    SIGTERM lets replicas finish their answers; what is left after ``timeout_s`` is killed.
    """
    state = running(home)
    if state is None:
        return False
    family = descendants(state.pid)
    os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout_s
    # The process's end counts, not that of its state file: it stops its parts in order before it.
    while process_start(state.pid) == state.start:
        if time.monotonic() > deadline:
            _kill_tree(state.pid)
            break
        time.sleep(0.02)
    _kill_survivors(family)
    home.state_file.unlink(missing_ok=True)
    home.lock_file.write_bytes(b"")
    return True


def _await_other(home: Home, timeout_s: float) -> EngineState:
    """Wait for the engine that somebody else is starting in this home at the same time."""
    deadline = time.monotonic() + timeout_s
    while (state := running(home)) is None:
        if not is_locked(home):
            raise EngineError(
                f"another engine was starting or stopping in {home.root} and is gone; "
                f"try again, and see {home.logs / 'engine.log'}"
            )
        if time.monotonic() > deadline:
            raise EngineError(
                f"another engine is starting in {home.root} and not ready after {timeout_s:.0f} s; "
                f"its log is {home.logs / 'engine.log'}"
            )
        time.sleep(_POLL_S)
    return state


def _read_message(fd: int, timeout_s: float) -> bytes | None:
    """One line from the engine; b'' when it closed the pipe without one; None on timeout."""
    deadline = time.monotonic() + timeout_s
    received = b""
    while b"\n" not in received:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            return None
        chunk = os.read(fd, 65536)
        if not chunk:
            return b""
        received += chunk
    return received


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])


def _kill_tree(pid: int) -> None:
    family = [*descendants(pid)]
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    _kill_survivors(family)


def _kill_survivors(family: Sequence[Process]) -> None:
    # Every part dies with the engine by itself (PR_SET_PDEATHSIG); this is for those that have
    # been started by a user's own command and left that behind.
    for process in family:
        if process.alive():
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
