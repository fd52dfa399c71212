"""`rouse authorizer`: the process that checks API keys in a cluster."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rouse.authorizer.authorizer import GATEWAY_NAMESPACE, Authorizer
from rouse.daemon.endpoints import Checks, Ports, serve_endpoints
from rouse.daemon.logs import set_up_logs
from rouse.daemon.loop import loop_factory, stop_signal
from rouse.errors import RouseError
from rouse.kube.config import ClusterConfig, connect, load_kubeconfig

__all__ = ["Options", "run", "run_authorizer"]

logger = logging.getLogger(__name__)

_METRIC: Final = "rouse_authorizer_requests_total"


@dataclass(frozen=True, slots=True)
class Options:
    """How an authorizer process runs; ``drain`` is in seconds, as the webhook's."""

    port: int = 9090
    ports: Ports = field(default_factory=Ports)
    drain: float = 5.0
    gateway_namespace: str = GATEWAY_NAMESPACE
    """Where the policies are: ``auth.gatewayNamespace`` of rouse-config."""
    key_namespaces: tuple[str, ...] = ()
    """Where keys are read; empty: everywhere."""


async def run(
    config: ClusterConfig, options: Options | None = None, *, ready: Callable[[int], None]
) -> None:
    """Answer the gateway until cancelled or SIGTERM or SIGINT comes; ``ready`` gets the port.

    Raises `UnavailableError` when policies or keys cannot be read, `EngineError` when a port is
    taken.
    """
    options = options or Options()
    async with connect(config) as client, stop_signal() as stop:
        authorizer = Authorizer(
            client,
            options.port,
            namespace=options.gateway_namespace,
            key_namespaces=options.key_namespaces,
        )

        def lacks() -> list[str]:
            if stop.is_set():
                return ["stopping"]
            return [f"not listed yet: {one}" for one in authorizer.unsynced]

        checks = Checks(alive=list, ready=lacks)
        async with serve_endpoints(options.ports, lambda: _metrics(authorizer), checks):
            try:
                await authorizer.start()
                ready(authorizer.port)
                await stop.wait()
                # Gateways go on asking until they know that this address is gone.
                await asyncio.sleep(options.drain)
            finally:
                await authorizer.stop()


def run_authorizer(
    kubeconfig: Path | None,
    options: Options | None = None,
    *,
    log_format: str = "text",
    ready_fd: int | None = None,
) -> int:
    """Run the authorizer in this process; return its exit status.

    Once it answers, ``ready PORT`` and a newline are written to ``ready_fd``, which is then closed.
    """
    set_up_logs(log_format)

    def ready(port: int) -> None:
        logger.info("ready on port %d", port)
        if ready_fd is not None:
            os.write(ready_fd, f"ready {port}\n".encode())
            os.close(ready_fd)

    try:
        config = load_kubeconfig(kubeconfig)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run(config, options, ready=ready))
    except RouseError as error:
        logger.error("%s", error)
        return 1
    return 0


def _metrics(authorizer: Authorizer) -> str:
    lines = [
        f"# HELP {_METRIC} Requests judged, by what came of them.",
        f"# TYPE {_METRIC} counter",
        *(
            f'{_METRIC}{{outcome="{outcome}"}} {count}'
            for outcome, count in sorted(authorizer.outcomes.items())
        ),
    ]
    return "\n".join(lines) + "\n"
