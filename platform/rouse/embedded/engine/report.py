"""What runs, as seen from outside: the engine's processes, their memory and their health."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass

from rouse.embedded.engine.proc import Process, descendants, inspect
from rouse.embedded.engine.state import EngineState, running
from rouse.embedded.home import Home

__all__ = ["Part", "Report", "report"]

_PROBE_TIMEOUT_S = 2.0
_GUEST = "guest-"
"""Begin of the name of a process that a warm parent of another package has forked."""


@dataclass(frozen=True)
class Part:
    """One process of the engine."""

    name: str
    pid: int
    megabytes: float
    """Proportional set size: memory shared with other processes is divided among them."""
    rss_megabytes: float
    """Resident set size: shared memory counts in full."""
    health: str


@dataclass(frozen=True)
class Report:
    """The engine and its parts."""

    state: EngineState
    parts: tuple[Part, ...]

    @property
    def megabytes(self) -> float:
        """Memory of all parts together; shared pages count once."""
        return sum(part.megabytes for part in self.parts)


def report(home: Home) -> Report | None:
    """Look at the running engine of this home; None when there is none."""
    state = running(home)
    if state is None:
        return None
    family = [inspect(state.pid), *descendants(state.pid)]
    found = {process.pid: process for process in family if process is not None}
    parts = []
    for process in found.values():
        name = part_name(process, found.get(process.parent))
        memory = process.pss_bytes / 1e6, process.rss_bytes / 1e6
        parts.append(Part(name, process.pid, *memory, _health(name, state, home)))
    return Report(state, tuple(parts))


def part_name(process: Process, parent: Process | None) -> str:
    """A short name for a process of the engine."""
    command = " ".join(process.command)
    if "rouse.embedded.engine" in command:
        return "engine"
    if "rouse.embedded.apiserver" in command:
        return "api"
    if " controller" in command and "rouse" in command:
        return "controllers"
    if "predictors." in command:
        if process.name.startswith(_GUEST):
            return f"replica {process.name.removeprefix(_GUEST)}"
        framework = command.split("predictors.", 1)[1].split()[0]
        return f"{_role(process, parent)} {framework}"
    if "envoy" in process.command[0].rsplit("/", 1)[-1]:
        return "gateway"
    return "replica"


def _role(process: Process, parent: Process | None) -> str:
    """Forks of a warm parent keep its command line; what they are, they say by their name."""
    if process.name == "warm-spare":
        return "spare"
    if "--warm" in process.command and (parent is None or parent.command != process.command):
        return "warm"
    return "replica"


def _health(name: str, state: EngineState, home: Home) -> str:
    if name == "api":
        context = ssl.create_default_context(cafile=str(home.root / "pki" / "ca.crt"))
        return _probe(f"https://127.0.0.1:{state.api_port}/healthz", context)
    if name == "gateway":
        return _probe(state.gateway_url, None)
    return "running"


def _probe(url: str, context: ssl.SSLContext | None) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_PROBE_TIMEOUT_S, context=context):  # noqa: S310
            return "ok"
    except urllib.error.HTTPError:
        return "ok"  # it answered: an unknown host is the gateway's 404
    except OSError as error:
        return f"not answering: {error}"
