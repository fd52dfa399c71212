"""`rouse controller`: the portable controllers, on any cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["controller"]


@click.command()
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Default: $KUBECONFIG, then the pod's service account.",
)
@click.option("--leader-elect", is_flag=True, help="Work only while holding the Lease.")
@click.option("--ready-fd", type=int, hidden=True)
def controller(kubeconfig: Path | None, leader_elect: bool, ready_fd: int | None) -> None:
    """Run the controllers against the cluster of the kubeconfig until SIGTERM."""
    from rouse.controllers.run import run_controllers

    sys.exit(run_controllers(kubeconfig, leader_elect=leader_elect, ready_fd=ready_fd))
