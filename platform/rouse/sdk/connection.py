"""Which cluster and which gateway: flags, then the environment, then this machine's engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rouse.embedded.engine.state import read_state
from rouse.embedded.home import Home
from rouse.kube.config import ClusterConfig, load_kubeconfig

__all__ = ["Connection", "locate"]


@dataclass(frozen=True)
class Connection:
    """Where the API is, and the ingress gateway if it is known."""

    cluster: ClusterConfig
    gateway: str | None
    """Base URL of the gateway; None: requests go to the host of the service's own URL."""


def locate(
    kubeconfig: Path | None = None,
    gateway: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> Connection:
    """Find the API and the gateway.

    The kubeconfig is the given one, else $KUBECONFIG, else the one of the embedded engine in
    ROUSE_HOME, else kubectl's default or the pod's service account. The gateway is the given one,
    else $ROUSE_GATEWAY, else the embedded engine's when the kubeconfig is its own.
    Raises ConfigError saying what was looked for.
    """
    env = os.environ if environ is None else environ
    home = Home.from_environment(env)
    chosen = kubeconfig or _from_environment(env)
    if chosen is None and home.kubeconfig.exists():
        chosen = home.kubeconfig
    cluster = load_kubeconfig(chosen)
    url = gateway or env.get("ROUSE_GATEWAY")
    if url is None and chosen is not None and _same_file(chosen, home.kubeconfig):
        state = read_state(home)
        url = state.gateway_url if state else None
    return Connection(cluster, url.rstrip("/") if url else None)


def _from_environment(env: Mapping[str, str]) -> Path | None:
    given = env.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(given).expanduser() if given else None


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
