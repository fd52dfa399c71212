"""Starts one process of a container: forked from a warm parent where there is one, else exec'd."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from rouse.embedded.node.command import Invocation
from rouse.embedded.node.errors import PodSetupError, Reason, WarmError
from rouse.embedded.node.logs import ContainerLog
from rouse.embedded.node.orphans import MARK
from rouse.embedded.node.services import NodeServices
from rouse.embedded.node.warm import SpawnRequest
from rouse.embedded.processes import OwnedProcess, StartError, start_process

__all__ = ["Start", "start_container"]


@dataclass(frozen=True, slots=True)
class Start:
    """A started process; ``note`` says why it was not forked although it could have been."""

    process: OwnedProcess
    note: str = ""


async def start_container(
    invocation: Invocation,
    services: NodeServices,
    *,
    id_: str,
    log: ContainerLog,
    listener: socket.socket | None,
) -> Start:
    """Start ``invocation`` with its output going to ``log``; ``id_`` is unique on this machine.

    ``listener`` stays the caller's. Raises PodSetupError.
    """
    env = {**invocation.env, MARK: str(services.paths.home)}
    if invocation.listen:
        env["ROUSE_NOTIFY_SOCKET"] = str(services.notify.path)
    pipes = [log.open_pipe("stdout"), log.open_pipe("stderr")]
    fds = [*pipes, listener.fileno()] if listener else pipes
    note = ""
    try:
        if listener is not None:
            request = SpawnRequest(
                id_, invocation.args, env, invocation.cwd, tuple(fds), invocation.module
            )
            try:
                if forked := await _forked(invocation, services, request):
                    return Start(forked)
            except WarmError as error:
                note = f"{error}; started without a warm parent"
        if listener is not None:
            env["ROUSE_LISTEN_FD"] = str(listener.fileno())
        process = start_process(
            invocation.argv,
            env=env,
            cwd=invocation.cwd,
            stdout=pipes[0],
            stderr=pipes[1],
            pass_fds=fds[2:],
        )
        return Start(process, note)
    except StartError as error:
        raise PodSetupError(Reason(error.reason), error.message) from error
    finally:
        for fd in pipes:
            os.close(fd)


async def _forked(
    invocation: Invocation, services: NodeServices, request: SpawnRequest
) -> OwnedProcess | None:
    """Fork it from a warm parent; None where there is none to do it. Raises WarmError."""
    if invocation.warm:
        return await services.warm.spawn(invocation.command, request)
    return await services.warm.lend(request) if request.module else None
