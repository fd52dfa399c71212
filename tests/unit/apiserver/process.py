"""The API server as a real process, for the tests that need one."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson

READY_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """A started server; ``kill`` is kill -9."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        reader, writer = os.pipe()
        self.log = home.with_name(f"{home.name}.log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "rouse.embedded.apiserver",
                    f"--home={home}",
                    f"--port={port}",
                    f"--ready-fd={writer}",
                ],
                pass_fds=[writer],
                stdout=subprocess.PIPE,
                stderr=log,
            )
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            readable, _, _ = select.select([pipe], [], [], READY_S)
            self.ready = pipe.readline().decode() if readable else ""

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    def client(self) -> httpx.Client:
        config = orjson.loads(self.kubeconfig.read_bytes())
        context = ssl.create_default_context(cafile=str(self.home / "pki" / "ca.crt"))
        token = config["users"][0]["user"]["token"]
        return httpx.Client(
            base_url=config["clusters"][0]["cluster"]["server"],
            verify=context,
            headers={"authorization": f"Bearer {token}"},
            timeout=10,
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.close()

    def close(self) -> int:
        try:
            return self.process.wait(10)
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()


@contextlib.contextmanager
def running(home: Path, port: int | None = None) -> Iterator[ServerProcess]:
    server = ServerProcess(home, port or free_port())
    try:
        assert server.ready, server.log.read_text()
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()
        else:
            server.close()
