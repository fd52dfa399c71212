"""Options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click

__all__ = ["compile_options", "connection_options", "files_option", "open_sources"]

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


def compile_options(command: Command) -> Command:
    """--runtimes, --config and --engine: what a compile without a cluster goes by."""
    command = click.option(
        "--engine",
        type=click.Choice(["cluster", "embedded"]),
        default="cluster",
        show_default=True,
        help="Whose defaults hold where the configuration is silent.",
    )(command)
    command = click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="ConfigMaps rouse-config or inferenceservice-config. Default: the defaults.",
    )(command)
    return click.option(
        "--runtimes",
        type=click.Path(path_type=Path),
        help="File or folder of runtimes, and ClusterStorageContainers beside them. Default: the "
        "runtimes that ship with Rouse.",
    )(command)
