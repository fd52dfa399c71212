"""`rouse authorizer`: what checks API keys for the gateway of a cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rouse.cli.options import PORT, daemon_options, drain_option, ready_option, split_names

__all__ = ["authorizer"]


@click.command()
@click.option("--port", type=PORT, default=9090, show_default=True)
@click.option(
    "--gateway-namespace",
    default="istio-system",
    show_default=True,
    help="Where the policies are: auth.gatewayNamespace of rouse-config.",
)
@click.option(
    "--namespaces",
    default="",
    metavar="NAMESPACE,...",
    help="Read keys in these only. Default: in all.",
)
@daemon_options
@drain_option
@ready_option
def authorizer(
    kubeconfig: Path | None,
    port: int,
    metrics_port: int | None,
    health_port: int | None,
    drain_seconds: float,
    gateway_namespace: str,
    namespaces: str,
    log_format: str,
    ready_fd: int | None,
) -> None:
    """Answer Envoy's external authorization (HTTP) for InferenceServices with API keys."""
    from rouse.authorizer.run import Options, run_authorizer
    from rouse.daemon.endpoints import Ports

    options = Options(
        port,
        Ports(metrics_port, health_port),
        drain_seconds,
        gateway_namespace,
        tuple(split_names(namespaces)),
    )
    sys.exit(run_authorizer(kubeconfig, options, log_format=log_format, ready_fd=ready_fd))
