"""`rouse authorizer`: what checks API keys for the gateway of a cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["authorizer"]

_PORT = click.IntRange(0, 65535)


@click.command()
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Default: $KUBECONFIG, then the pod's service account.",
)
@click.option("--port", type=_PORT, default=9090, show_default=True)
@click.option("--metrics-port", type=_PORT, help="Serve /metrics there. Default: not at all.")
@click.option(
    "--health-port", type=_PORT, help="Serve /healthz and /readyz there. Default: not at all."
)
@click.option(
    "--drain-seconds",
    type=click.FloatRange(0, 600),
    default=5.0,
    show_default=True,
    help="Answer for so long after SIGTERM, until no gateway knows this address.",
)
@click.option(
    "--gateway-namespace",
    default="istio-system",
    show_default=True,
    help="Where the policies are: auth.gatewayNamespace of rouse-config.",
)
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option("--ready-fd", type=int, hidden=True)
def authorizer(
    kubeconfig: Path | None,
    port: int,
    metrics_port: int | None,
    health_port: int | None,
    drain_seconds: float,
    gateway_namespace: str,
    log_format: str,
    ready_fd: int | None,
) -> None:
    """Answer Envoy's external authorization (HTTP) for InferenceServices with API keys."""
    from rouse.authorizer.run import Options, run_authorizer
    from rouse.daemon.endpoints import Ports

    options = Options(port, Ports(metrics_port, health_port), drain_seconds, gateway_namespace)
    sys.exit(run_authorizer(kubeconfig, options, log_format=log_format, ready_fd=ready_fd))
