"""``python -m rouse.embedded.apiserver --home DIR --port 6443``: the API server's process.

Exit codes: 0 stopped by a signal, 1 failed, 2 wrong arguments, 3 the port is in use.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop

from rouse.embedded.apiserver.admission_kserve import warm
from rouse.embedded.apiserver.app_granian import Listener, check_port
from rouse.embedded.apiserver.bootstrap import bootstrap
from rouse.embedded.apiserver.build import build_server, utc_now
from rouse.embedded.apiserver.pki import Identity, ensure_identity, write_kubeconfig
from rouse.embedded.apiserver.server import ApiServer
from rouse.errors import EngineError, PortInUseError, RouseError
from rouse.manifests import manifests_dir

__all__ = ["main"]

HOST = "127.0.0.1"


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    options = _parse(arguments)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        uvloop.run(_serve(options.home, options.port, options.ready_fd))
    except PortInUseError as error:
        print(error, file=sys.stderr)
        return 3
    except RouseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m rouse.embedded.apiserver", description="The embedded Kubernetes API."
    )
    parser.add_argument("--home", type=Path, required=True, help="folder of all state")
    parser.add_argument("--port", type=int, default=6443, help="HTTPS port on 127.0.0.1")
    parser.add_argument(
        "--ready-fd", type=int, default=None, help="write a line to this descriptor when listening"
    )
    return parser.parse_args(arguments)


def _prepare(home: Path, port: int) -> tuple[Identity, ApiServer]:
    """Everything that needs no event loop."""
    check_port(HOST, port)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    identity = ensure_identity(home / "pki", utc_now())
    state_file = home / "apiserver" / "state.db"
    state_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    logs = home / "logs" / "pods"
    return identity, build_server(str(state_file), token=identity.token, logs=logs)


async def _serve(home: Path, port: int, ready_fd: int | None) -> None:
    identity, server = _prepare(home, port)
    await server.start()
    try:
        await bootstrap(server, manifests_dir())
        server.admit_by_webhooks()
        listener = Listener(server, identity, HOST, port)
        await listener.start()
        write_kubeconfig(home / "kubeconfig", identity, f"https://{HOST}:{port}")
        _tell_ready(ready_fd, port)
        await _until_stopped(listener)
        await listener.stop()
    finally:
        await server.stop()


def _tell_ready(ready_fd: int | None, port: int) -> None:
    if ready_fd is None:
        return
    with os.fdopen(ready_fd, "w") as pipe:
        pipe.write(f"ready https://{HOST}:{port}\n")


async def _until_stopped(listener: Listener) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.run_in_executor(None, warm)
    ended = asyncio.ensure_future(listener.wait())
    asked = asyncio.ensure_future(stopped.wait())
    await asyncio.wait([ended, asked], return_when=asyncio.FIRST_COMPLETED)
    for task in (ended, asked):
        task.cancel()
    if not stopped.is_set():
        raise EngineError("the API server's HTTPS listener ended by itself; start it again")


if __name__ == "__main__":
    sys.exit(main())
