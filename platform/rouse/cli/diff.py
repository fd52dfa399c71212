"""`rouse diff`: what applying manifests would change, down to the objects they compile to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rouse.cli.options import connection_options, files_option, open_sources
from rouse.errors import RouseError

if TYPE_CHECKING:
    from rouse.sdk.differing import Difference
    from rouse.sdk.documents import Document

__all__ = ["diff"]

_DIFFERS = 1
_FAILED = 2


@click.command()
@files_option
@connection_options
def diff(filenames: tuple[str, ...], kubeconfig: Path | None, namespace: str | None) -> None:
    """Show what `rouse apply -f FILE` would change, and what would follow from it.

    Exit code 0: nothing; 1: something; 2: an object would be refused, or the API does not answer.
    """
    from rouse.sdk.documents import Document, read_documents

    problems: list[str] = []
    documents: list[Document] = []
    for each in read_documents(open_sources(filenames)):
        if isinstance(each, Document):
            documents.append(each)
        else:
            problems.append(str(each))
    try:
        found = asyncio.run(_differences(documents, kubeconfig, namespace))
    except RouseError as error:
        found = []
        problems.append(str(error))
    for difference in found:
        click.echo(difference.text, nl=False)
        if difference.problem:
            problems.append(f"{difference.name}: {difference.problem}")
    for problem in problems:
        click.echo(f"rouse: {problem}", err=True)
    if problems:
        raise click.exceptions.Exit(_FAILED)
    if any(difference.text for difference in found):
        raise click.exceptions.Exit(_DIFFERS)


async def _differences(
    documents: list[Document], kubeconfig: Path | None, namespace: str | None
) -> list[Difference]:
    from rouse.kube.config import connect
    from rouse.sdk.connection import locate
    from rouse.sdk.differing import differences

    connection = locate(kubeconfig)
    place = namespace or connection.cluster.namespace or "default"
    async with connect(connection.cluster) as client:
        return [each async for each in differences(client, documents, place)]
