"""What a running engine says of itself, and the lock that makes it the only one of its home."""

from __future__ import annotations

import fcntl
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import orjson

from rouse.embedded.home import Home
from rouse.errors import EngineError

__all__ = ["EngineLock", "EngineState", "is_locked", "process_start", "read_state", "running"]


@dataclass(frozen=True)
class EngineState:
    """Contents of ``engine.json``; written once everything is ready, removed on a clean stop."""

    pid: int
    start: int
    """Start time of the process in clock ticks since boot: a pid alone may be reused."""
    api_port: int
    gateway_port: int
    up_seconds: float
    """From the start of the engine's process until everything was ready."""
    version: str

    @property
    def gateway_url(self) -> str:
        """Base URL of the ingress gateway."""
        return f"http://127.0.0.1:{self.gateway_port}"

    def write(self, home: Home) -> None:
        """Replace the state file atomically."""
        temporary = home.state_file.with_suffix(".new")
        temporary.write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))
        temporary.replace(home.state_file)
        # A second copy, for the day the first is damaged; in place, because the lock is on it.
        home.lock_file.write_bytes(home.state_file.read_bytes())


def process_start(pid: int) -> int | None:
    """Start time of a live process (clock ticks since boot); None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name may hold spaces and parentheses; the fields after its last one are regular.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def read_state(home: Home) -> EngineState | None:
    """The state file or its copy, if one is readable; its process may be dead (see `running`)."""
    for file in (home.state_file, home.lock_file):
        try:
            return EngineState(**orjson.loads(file.read_bytes()))
        except (OSError, orjson.JSONDecodeError, TypeError):
            continue
    return None


def is_locked(home: Home) -> bool:
    """Whether an engine runs in this home, or is being started or stopped."""
    try:
        fd = os.open(home.lock_file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def running(home: Home) -> EngineState | None:
    """The state of the engine that runs in this home; None when none does."""
    state = read_state(home)
    if state is None or process_start(state.pid) != state.start:
        return None
    return state


class EngineLock:
    """An advisory lock on the home, held as long as the engine's process lives."""

    def __init__(self, home: Home) -> None:
        self._path = home.lock_file
        self._fd = -1

    def __enter__(self) -> Self:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            raise EngineError(
                f"another engine is starting or running in {self._path.parent}; "
                "see `rouse status`, or set ROUSE_HOME to another folder"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        os.ftruncate(self._fd, 0)
        os.close(self._fd)
