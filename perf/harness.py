"""An engine of its own for a benchmark, a demo or a test: own home, free ports, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rouse.embedded.engine.state import EngineState, read_state
from rouse.embedded.home import Home
from rouse.embedded.ports import free_port
from rouse.errors import RouseError
from rouse.sdk import Client

__all__ = ["Engine", "engine", "train_iris"]

REPOSITORY = Path(__file__).resolve().parents[1]
IRIS = REPOSITORY / "examples" / "iris"

SHORT_WINDOWS = {
    "stable-window": "6s",
    "scale-to-zero-grace-period": "1s",
}
"""config-autoscaler for those who want to see a model fall asleep without waiting a minute."""


@dataclass
class Engine:
    """A running engine, and how to talk to it."""

    home: Home
    api_port: int
    gateway_port: int
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def gateway(self) -> str:
        """Base URL of the ingress gateway."""
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def state(self) -> EngineState:
        """What the engine says of itself; raises RouseError when it is down."""
        state = read_state(self.home)
        if state is None:
            raise RouseError(f"no engine runs in {self.home.root}")
        return state

    def rouse(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the `rouse` command as a user would; its output is captured."""
        return self.command([sys.executable, "-m", "rouse", *args], check=check)

    def kubectl(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the kubectl of the PATH (or $KUBECTL) against this engine."""
        return self.command([kubectl_path() or "kubectl", *args], check=check)

    def command(self, argv: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        """Run any command with this engine's ROUSE_HOME and KUBECONFIG."""
        done = subprocess.run(
            argv, env=self.environ, capture_output=True, text=True, timeout=60, check=False
        )
        if check and done.returncode:
            raise RouseError(
                f"`{' '.join(argv)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def client(self) -> Client:
        """The SDK's client; close it, or use it in a `with` block."""
        return Client(self.home.kubeconfig, gateway=self.gateway)

    def up(self) -> float:
        """Start the engine; seconds from the command's start to its end."""
        began = time.perf_counter()
        self.rouse("up", f"--api-port={self.api_port}", f"--gateway-port={self.gateway_port}")
        return time.perf_counter() - began

    def down(self) -> None:
        """Stop the engine."""
        self.rouse("down")


def kubectl_path() -> str | None:
    """The kubectl to use: $KUBECTL, else the one on the PATH, else None."""
    return os.environ.get("KUBECTL") or shutil.which("kubectl")


@contextmanager
def engine(
    home: Path | None = None,
    *,
    ports: tuple[int, int] | None = None,
    windows: Mapping[str, str] | None = None,
) -> Iterator[Engine]:
    """An engine that is up for the length of the block, with the given autoscaler settings."""
    with tempfile.TemporaryDirectory(prefix="rouse-", ignore_cleanup_errors=True) as folder:
        root = home or Path(folder) / "home"
        api_port, gateway_port = ports or (free_port(), free_port())
        environ = {**os.environ, "ROUSE_HOME": str(root)}
        made = Engine(Home(root), api_port, gateway_port, environ)
        environ["KUBECONFIG"] = str(made.home.kubeconfig)
        made.up()
        try:
            if windows:
                set_windows(made, windows)
            yield made
        finally:
            made.down()


def set_windows(target: Engine, windows: Mapping[str, str]) -> None:
    """Write autoscaler settings where Knative's users write them."""
    with target.client() as client:
        client.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "config-autoscaler", "namespace": "knative-serving"},
                "data": dict(windows),
            },
            force=True,
        )


def train_iris(target: Engine) -> str:
    """Train the example's models into the engine's volumes; what train.py printed."""
    return target.command([sys.executable, str(IRIS / "train.py")], check=True).stdout
