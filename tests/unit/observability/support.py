"""What the manifests hold for Prometheus and Grafana, and processes that it can ask."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from rouse.manifests import manifests_dir

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "observability.md"
FOLDER = manifests_dir() / "observability"
RULES = sorted(FOLDER.glob("rules-*.yaml"))
BOARDS = sorted(FOLDER.glob("dashboards/*.json"))

Json = dict[str, Any]


def groups_of(path: Path) -> Json:
    """The groups of a PrometheusRule, as Prometheus itself reads them."""
    groups: Json = yaml.safe_load(path.read_text())["spec"]
    return groups


def rules() -> Iterator[Json]:
    for path in RULES:
        for group in groups_of(path)["groups"]:
            yield from group["rules"]


def panels() -> Iterator[tuple[str, Json]]:
    """Every panel with queries, and its address: board and title."""
    for path in BOARDS:
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            if panel["type"] != "row":
                yield f"{board['uid']}: {panel['title']}", panel


def metrics_in(expr: str) -> set[str]:
    """The names of the metrics that a query asks for, with a histogram's endings taken off."""
    without = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', " ", expr)
    without = re.sub(r"\b(?:by|on|group_left|without)\s*\([^)]*\)", " ", without)
    names = set(re.findall(r"\b[a-z][a-z_]*(?::\w+)*\b(?!\s*\()", without)) - _WORDS
    return {re.sub(r"(seconds|_rows|queue)_(?:bucket|sum|count)$", r"\1", name) for name in names}


_WORDS = {"and", "offset", "or", "unless", "bool", "on", "by", "group_left"}


class Server(NamedTuple):
    process: subprocess.Popen[bytes]
    url: str
    port: int


@contextmanager
def predictor(folder: Path, sockets: Path, env: Mapping[str, str], *flags: str) -> Iterator[Server]:
    """A predictor process that is ready; the node's socket says when it is."""
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(sockets))
    notices.settimeout(50)
    with notices, socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "predictors.sklearn",
                "--model_name=iris",
                f"--model_dir={folder}",
                *flags,
            ],
            cwd=ROOT,
            env={
                **os.environ,
                **env,
                "ROUSE_LISTEN_FD": str(listening.fileno()),
                "ROUSE_NOTIFY_SOCKET": str(sockets),
            },
            pass_fds=[listening.fileno()],
            stderr=subprocess.DEVNULL,
        )
        try:
            while json.loads(notices.recv(65536))["type"] != "ready":
                pass
            yield Server(process, f"http://127.0.0.1:{port}", port)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
