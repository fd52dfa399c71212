"""`rouse controller`: the portable controllers, on any cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rouse.cli.options import daemon_options, ready_option

__all__ = ["controller"]


@click.command()
@click.option("--namespace", default="rouse-system", show_default=True, help="Where the Lease is.")
@click.option("--pod", default="", help="The pod in that namespace that this runs in.")
@click.option(
    "--leader-elect/--no-leader-elect",
    default=False,
    show_default=True,
    help="Work only while holding the Lease, so that replicas can stand by.",
)
@click.option("--profiling", is_flag=True, help="Serve /debug/pprof/ on the port of the metrics.")
@daemon_options
@ready_option
def controller(
    kubeconfig: Path | None,
    namespace: str,
    pod: str,
    leader_elect: bool,
    metrics_port: int | None,
    health_port: int | None,
    profiling: bool,
    log_format: str,
    ready_fd: int | None,
) -> None:
    """Run the controllers against the cluster of the kubeconfig until SIGTERM."""
    if profiling and metrics_port is None:
        raise click.UsageError("--profiling is served on the port of --metrics-port: give one")
    from rouse.controllers.run import Options, run_controllers
    from rouse.daemon.endpoints import Ports

    options = Options(
        leader_election=leader_elect,
        namespace=namespace,
        pod=pod,
        ports=Ports(metrics_port, health_port, profiling),
    )
    status = run_controllers(kubeconfig, options, log_format=log_format, ready_fd=ready_fd)
    sys.exit(status)
