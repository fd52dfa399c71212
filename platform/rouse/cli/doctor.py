"""`rouse doctor`: what a cluster lacks, and the command that mends it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rouse.cli.compiling import compile_files
from rouse.cli.options import compile_options, connection_options
from rouse.cli.output import aligned, say_refused
from rouse.errors import ApiError, ConfigError

if TYPE_CHECKING:
    from rouse.compiler.needs import Needs
    from rouse.installer.findings import Finding
    from rouse.kube.objects import Object
    from rouse.sdk.connection import Connection

__all__ = ["doctor"]


@click.command()
@click.option(
    "-f",
    "--filename",
    "filenames",
    multiple=True,
    metavar="FILE",
    help="Also what the objects compiled from it need; may be repeated.",
)
@compile_options
@connection_options
def doctor(
    filenames: tuple[str, ...],
    runtimes: Path | None,
    config: Path | None,
    engine: str,
    kubeconfig: Path | None,
    namespace: str | None,
) -> None:
    """Tell what the cluster lacks for Rouse and for what FILE compiles to, and how Rouse fares.

    Where there is no cluster to ask, what FILE needs is listed. Exit code 1 when something is
    missing, disabled or refused.
    """
    from rouse.compiler.needs import Needs, needs_of
    from rouse.sdk.compiling import sorted_objects

    needs, refused = Needs({}, {}, {}), False
    if filenames:
        outcomes, unreadable = compile_files(
            filenames,
            runtimes=runtimes,
            config=config,
            engine=engine,
            live=_services(kubeconfig),
            namespace=namespace or "default",
        )
        for outcome in outcomes:
            if outcome.refusals:
                say_refused(f"{outcome.document.origin}: {outcome.name}", outcome.refusals)
        for problem in unreadable:
            click.echo(f"rouse: {problem}", err=True)
        refused = bool(unreadable) or any(outcome.refusals for outcome in outcomes)
        needs = needs_of(sorted_objects(outcomes))
    findings = _findings(kubeconfig, needs)
    _print(findings)
    if refused or any(finding.wrong for finding in findings):
        raise click.exceptions.Exit(1)


def _services(kubeconfig: Path | None) -> list[Object]:
    """InferenceServices of the cluster, which graphs may call; none where it cannot be asked."""
    from rouse.sdk.connection import locate

    try:
        return asyncio.run(_listed(locate(kubeconfig)))
    except (ConfigError, ApiError):
        return []  # What asks the cluster next says why.


async def _listed(connection: Connection) -> list[Object]:
    from rouse.kube.config import connect
    from rouse.kube.resources import INFERENCE_SERVICES

    async with connect(connection.cluster) as client:
        return (await client.list(INFERENCE_SERVICES)).items


def _findings(kubeconfig: Path | None, needs: Needs) -> list[Finding]:
    from rouse.sdk.connection import locate
    from rouse.sdk.doctoring import unchecked

    try:
        connection = locate(kubeconfig)
    except ConfigError as error:
        if kubeconfig is not None:
            raise
        click.echo(f"rouse: no cluster is asked: {error}", err=True)
        return list(unchecked(needs))
    return asyncio.run(_examined(connection, needs))


async def _examined(connection: Connection, needs: Needs) -> list[Finding]:
    from datetime import UTC, datetime

    from rouse import __version__
    from rouse.compiler.config import Config
    from rouse.installer.cluster import Cluster
    from rouse.installer.doctor import examine_installation, is_installed
    from rouse.kube.config import connect
    from rouse.sdk.doctoring import examine
    from rouse.sdk.live import live_config

    async with connect(connection.cluster) as client:
        found = [finding async for finding in examine(client, needs)]
        cluster = Cluster(client)
        # The embedded engine brings its controllers along: there it takes no installation.
        if "rouse" in await cluster.version() and not await is_installed(cluster):
            return found
        try:
            config = await live_config(client)
        except ConfigError:
            config = Config()  # That it cannot be used is among the findings.
        installation = examine_installation(
            cluster, config, version=__version__, now=datetime.now(UTC)
        )
        return [*found, *[finding async for finding in installation]]


def _print(findings: list[Finding]) -> None:
    rows = [(each.what, each.state, each.detail) for each in findings]
    if rows:
        click.echo(aligned([("CHECK", "STATE", "DETAIL"), *rows]))
    fixes = list(dict.fromkeys(each.fix for each in findings if each.fix))
    if fixes:
        wrong = any(each.wrong for each in findings)
        click.echo("\nTo mend it:" if wrong else "\nWhere it is missing:")
        for fix in fixes:
            click.echo(f"  {fix}")
