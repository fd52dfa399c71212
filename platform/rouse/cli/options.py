"""Options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click

__all__ = ["connection_options", "files_option", "open_sources"]

Command = Callable[..., Any]


def connection_options(command: Command) -> Command:
    """--kubeconfig and --namespace."""
    command = click.option(
        "--kubeconfig",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Default: $KUBECONFIG, then this machine's engine, then ~/.kube/config.",
    )(command)
    return click.option("-n", "--namespace", help="Default: that of the kubeconfig.")(command)


def files_option(command: Command) -> Command:
    """-f FILE, several times; ``-`` is standard input."""
    return click.option(
        "-f",
        "--filename",
        "filenames",
        multiple=True,
        required=True,
        metavar="FILE",
        help="YAML or JSON file, folder, or - for standard input; may be repeated.",
    )(command)


def open_sources(filenames: tuple[str, ...]) -> list[Path | IO[str]]:
    """The files as the SDK takes them."""
    return [sys.stdin if name == "-" else Path(name) for name in filenames]
