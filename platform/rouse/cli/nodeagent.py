"""`rouse node-agent`: keeps models on one node's disk."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rouse.cli.options import PORT, daemon_options

__all__ = ["node_agent"]


@click.command("node-agent")
@click.option("--node", required=True, envvar="NODE_NAME", help="Name of the node this runs on.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Where the models are kept.",
)
@click.option("--budget", required=True, help="The most they may take, such as 100Gi.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="FOLDER|URL",
    help="A cache to ask before the origin: a folder, or agents by their name; repeatable.",
)
@click.option("--address", default="", envvar="NODE_ADDRESS", help="This agent's own address.")
@click.option("--peer-port", type=PORT, help="Serve other nodes there. Default: not at all.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The word that the agents of a cluster share; --peer-port needs it.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 16),
    default=2,
    show_default=True,
    help="Models that are fetched at the same time.",
)
@click.option(
    "--recheck",
    type=click.FloatRange(1),
    default=300.0,
    show_default=True,
    help="Seconds after which an origin is asked for its present revision again.",
)
@click.option(
    "--twins",
    is_flag=True,
    help="Translate models too; this reads them: only where who writes them is trusted.",
)
@click.option(
    "--credentials-namespace",
    default="rouse-node-agents",
    show_default=True,
    help="Where the ServiceAccounts and Secrets are that LocalModelCaches name.",
)
@daemon_options
def node_agent(
    node: str,
    folder: Path,
    budget: str,
    sources: tuple[str, ...],
    address: str,
    peer_port: int | None,
    token_file: Path | None,
    concurrency: int,
    recheck: float,
    twins: bool,
    credentials_namespace: str,
    metrics_port: int | None,
    health_port: int | None,
    kubeconfig: Path | None,
    log_format: str,
) -> None:
    """Keep the models that the node's LocalModelNode asks for, until SIGTERM."""
    if peer_port is not None and token_file is None:
        raise click.UsageError("--peer-port serves models to others: give a --token-file")
    from rouse.agent.agent import Settings
    from rouse.agent.run import Options, run_agent
    from rouse.daemon.endpoints import Ports

    options = Options(
        node=node,
        folder=folder,
        budget=_bytes(budget),
        sources=sources,
        address=address,
        peer_port=peer_port,
        token=token_file.read_text().strip() if token_file else "",
        twins=twins,
        settings=Settings(
            concurrency=concurrency,
            recheck_s=recheck,
            credentials_namespace=credentials_namespace,
        ),
        ports=Ports(metrics_port, health_port),
    )
    sys.exit(run_agent(kubeconfig, options, log_format=log_format))


def _bytes(quantity: str) -> int:
    from decimal import InvalidOperation

    from rouse.api.quantities import amount

    try:
        size = int(amount(quantity))
    except (InvalidOperation, ValueError):
        size = 0
    if size <= 0:
        message = f"{quantity!r} is no size; give one such as 100Gi"
        raise click.BadParameter(message, param_hint="--budget")
    return size
