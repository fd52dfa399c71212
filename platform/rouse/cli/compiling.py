"""`rouse compile`: manifests to the objects they stand for, with no cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from rouse.cli.options import compile_options, files_option, open_sources
from rouse.cli.output import aligned, as_json, as_yaml, say_refused
from rouse.errors import InvalidError

if TYPE_CHECKING:
    # The compiler is imported by the commands that compile: the others start without it.
    from rouse.kube.objects import Object
    from rouse.sdk.compiling import Outcome
    from rouse.sdk.settings import Engine

__all__ = ["compile_", "compile_files"]


@click.command("compile")
@files_option
@compile_options
@click.option(
    "--observed",
    type=click.Path(path_type=Path),
    help="Live objects (`kubectl get isvc,ksvc,revisions,virtualservices -o yaml`): revisions, "
    "canary shares and routes follow them.",
)
@click.option("-n", "--namespace", default="default", show_default=True, help="Of what names none.")
@click.option("--report", is_flag=True, help="Print a table of what came of each document instead.")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml")
def compile_(
    filenames: tuple[str, ...],
    runtimes: Path | None,
    config: Path | None,
    engine: str,
    observed: Path | None,
    namespace: str,
    report: bool,
    output: str,
) -> None:
    """Print the objects that the services and graphs of FILE compile to; no cluster is asked.

    Equal input gives equal bytes, in whatever order the files come. What is refused is told on
    stderr, the rest is compiled, and the exit code is 1.
    """
    from rouse.sdk.compiling import sorted_objects

    outcomes, unreadable = compile_files(
        filenames,
        runtimes=runtimes,
        config=config,
        engine=engine,
        live=_live(observed) if observed else (),
        namespace=namespace,
    )
    if report:
        click.echo(_table(outcomes))
    else:
        objects = sorted_objects(outcomes)
        click.echo(as_json(objects) if output == "json" else as_yaml(objects), nl=False)
        _tell(outcomes)
    for problem in unreadable:
        click.echo(f"rouse: {problem}", err=True)
    if unreadable or any(outcome.refusals or outcome.clash for outcome in outcomes):
        raise click.exceptions.Exit(1)


def compile_files(
    filenames: tuple[str, ...],
    *,
    runtimes: Path | None,
    config: Path | None,
    engine: str,
    live: Sequence[Object] = (),
    namespace: str = "default",
) -> tuple[list[Outcome], list[InvalidError]]:
    """Compile what the files hold; returns the outcomes and what could not be read."""
    from rouse.sdk.compiling import compile_documents
    from rouse.sdk.documents import Document, read_documents
    from rouse.sdk.settings import load_config, load_runtimes, load_storage_containers

    chosen = cast("Engine", engine)
    read = list(read_documents(open_sources(filenames)))
    documents = [each for each in read if isinstance(each, Document)]
    unreadable = [each for each in read if isinstance(each, InvalidError)]
    if not read:
        raise InvalidError("no Kubernetes object found in what was given")
    outcomes = compile_documents(
        documents,
        runtimes=load_runtimes(runtimes),
        storage_containers=load_storage_containers(runtimes),
        config=load_config(config, chosen),
        live=live,
        namespace=namespace,
    )
    return outcomes, unreadable


def _live(path: Path) -> list[Object]:
    """Return the objects of the file; none is what a cluster without any has."""
    from rouse.sdk.documents import read_documents

    found: list[Object] = []
    for each in read_documents(path):
        if isinstance(each, InvalidError):
            raise each
        found.append(each.object)
    return found


def _tell(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        who = f"{outcome.document.origin}: {outcome.name}"
        if outcome.refusals or outcome.clash:
            say_refused(who, [*outcome.refusals, *filter(None, [outcome.clash])])
        elif outcome.note:
            click.echo(f"{who}: {outcome.note}", err=True)


def _table(outcomes: Sequence[Outcome]) -> str:
    rows = [
        (Path(outcome.document.origin).name, outcome.name, result)
        for outcome in sorted(outcomes, key=lambda each: each.document.origin)
        for result in _results(outcome)
    ]
    return aligned([("FILE", "OBJECT", "RESULT"), *rows])


def _results(outcome: Outcome) -> list[str]:
    if outcome.refusals:
        return [f"refused: {why}" for why in outcome.refusals]
    result = outcome.note or ", ".join(map(_called, outcome.objects))
    return [f"{result} ({outcome.clash})" if outcome.clash else result]


def _called(obj: Object) -> str:
    # A Knative Service and a Service of Kubernetes are the same in kind only.
    knative = "Knative " if obj["apiVersion"].startswith("serving.knative.dev/") else ""
    return f"{knative}{obj['kind']} {obj['metadata']['name']}"
