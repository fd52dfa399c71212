"""The wait: one port, health checks, and one signed request that ends it.

The process that waited is the one that serves: it leaves this loop, and runs the server as if it
had been started so, on the socket that it has listened on all the time. It never forks.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from predictors.serving.errors import StartupError
from predictors.serving.frozen import freeze
from predictors.serving.standby.assignment import Assignment, MalformedError, recall, record
from predictors.serving.standby.desk import Desk
from predictors.serving.standby.signing import PublicKey

if TYPE_CHECKING:
    from predictors.serving.model import Runtime

__all__ = ["run_standby"]

_log = logging.getLogger(__name__)

_STATE: Final = "/var/run/rouse-standby"

Entry = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class _Place:
    """Who this pod is, whom it obeys, and where it notes what it was told."""

    pod: str
    key: PublicKey
    folder: Path

    @classmethod
    def of(cls, env: Mapping[str, str]) -> _Place:
        pod = env.get("ROUSE_STANDBY_POD", "")
        if not pod:
            raise StartupError("--standby needs ROUSE_STANDBY_POD, the uid of the pod.")
        try:
            key = PublicKey.parse(env.get("ROUSE_STANDBY_KEY", ""))
        except ValueError as error:
            raise StartupError(
                f"--standby needs ROUSE_STANDBY_KEY, a public key: {error}."
            ) from error
        folder = Path(env.get("ROUSE_STANDBY_STATE", _STATE))
        if not os.access(folder, os.W_OK):
            raise StartupError(f"--standby needs the folder {folder} to write to; mount a volume.")
        return cls(pod, key, folder)


def run_standby(runtime: Runtime, entry: Entry, http_port: int) -> int:
    """Import, wait for an assignment, then run `entry` with its flags; the exit code.

    A container that starts again after it was assigned serves at once what it served before.
    """
    # The first process of a container has no default for it: imports would go on to their end.
    signal.signal(signal.SIGTERM, _leave)
    try:
        place = _Place.of(os.environ)
        given = recall(place.folder)
        if given is None:
            given = _waited(runtime, place, http_port)
    except MalformedError as error:
        # Not a reason to wait: the pod may be somebody's replica by now.
        _log.error("The record of what this pod serves is unusable: %s; delete the pod", error)
        return 1
    except StartupError as error:
        _log.error("Cannot stand by: %s", error)
        return 1
    if given is None:
        return 0
    os.environ.update(given.env)
    _log.info("serving as %s from now on", given.service)
    return entry(given.args)


def _leave(*_: object) -> None:
    raise SystemExit(0)


def _waited(runtime: Runtime, place: _Place, http_port: int) -> Assignment | None:
    started = perf_counter()
    importlib.import_module("predictors.serving.server")
    runtime.warm()
    freeze()
    sock = _listening(http_port)
    _log.info("standing by for a model after %.2f s of imports", perf_counter() - started)
    given = asyncio.run(_wait(place, sock))
    if given is not None:
        os.environ["ROUSE_LISTEN_FD"] = str(sock.detach())
        os.environ["ROUSE_BEGUN_AT"] = repr(time.time())
    return given


def _listening(http_port: int) -> socket.socket:
    listener = importlib.import_module("predictors.serving.listener")
    sock: socket.socket = listener.listening_socket(http_port, os.environ.get("ROUSE_LISTEN_FD"))
    return sock


async def _wait(place: _Place, sock: socket.socket) -> Assignment | None:
    """The assignment, or None when the process is told to stop."""
    told: asyncio.Future[Assignment | None] = asyncio.get_running_loop().create_future()

    def stop() -> None:
        if not told.done():
            told.set_result(None)

    def take(body: bytes, signature: str) -> tuple[int, str]:
        status, text, assignment = _judged(place, body, signature)
        if assignment is None:
            _log.warning("an assignment was refused: %s", text)
        elif told.done():
            return 409, "this pod has its model already"
        else:
            told.set_result(assignment)
        return status, text

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with Desk(sock, take):
        return await told


def _judged(place: _Place, body: bytes, signature: str) -> tuple[int, str, Assignment | None]:
    """What is answered to an assignment: a status, a text, and itself if it is followed."""
    if not place.key.signed(body, signature):
        return 401, "the signature is not the controller's", None
    try:
        assignment = Assignment.parse(body)
    except MalformedError as error:
        return 400, str(error), None
    if assignment.pod != place.pod:
        return 403, "another pod is meant", None
    try:
        # In the loop: who waits here has nothing else to do, and a thread would outlive the wait.
        record(place.folder, assignment)
    except OSError as error:
        return 500, f"{place.folder}: {error}", None
    return 202, "taken", assignment
