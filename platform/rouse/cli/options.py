"""Options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click

__all__ = [
    "PORT",
    "compile_options",
    "connection_options",
    "daemon_options",
    "drain_option",
    "files_option",
    "open_sources",
    "ready_option",
    "split_names",
]

Command = Callable[..., Any]

PORT = click.IntRange(0, 65535)
"""The type of an option that is a port; 0 takes a free one."""


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


def daemon_options(command: Command) -> Command:
    """--kubeconfig, --metrics-port, --health-port and --log-format of a process in a cluster."""
    command = click.option(
        "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True
    )(command)
    command = click.option(
        "--health-port", type=PORT, help="Serve /healthz and /readyz there. Default: not at all."
    )(command)
    command = click.option(
        "--metrics-port", type=PORT, help="Serve /metrics there. Default: not at all."
    )(command)
    return click.option(
        "--kubeconfig",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Default: $KUBECONFIG, then the pod's service account.",
    )(command)


def drain_option(command: Command) -> Command:
    """--drain-seconds of a process whose callers learn late that it is gone."""
    return click.option(
        "--drain-seconds",
        type=click.FloatRange(0, 600),
        default=5.0,
        show_default=True,
        help="Answer for so long after SIGTERM, until no caller knows this address.",
    )(command)


def ready_option(command: Command) -> Command:
    """--ready-fd: the descriptor that whoever starts the process reads until it is ready."""
    return click.option("--ready-fd", type=int, hidden=True)(command)


def split_names(given: str) -> list[str]:
    """Return the names of a list such as ``a,b``; none of an empty one."""
    return [name for each in given.split(",") if (name := each.strip())]
