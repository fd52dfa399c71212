"""The command line of a router: what it refuses, with which words and exit code."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).parents[3]
GRAPH = '{"nodes":{"root":{"routerType":"Sequence","steps":[{"serviceUrl":"http://a/"}]}}}'


def run(*flags: str, **env: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "predictors.graph", *flags],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "the following arguments are required: --graph-json"),
        (("--graph-json", GRAPH, "--colour=red"), "unrecognized arguments: --colour=red"),
        (("--graph-json", GRAPH, "--http_port=http"), "argument --http_port/--http-port: "),
        (("--graph-json", GRAPH, "--max_body=0"), "argument --max_body: "),
        (("--graph-json", GRAPH, "--graph_name= "), "the name is empty"),
    ],
)
def test_wrong_flags(flags: tuple[str, ...], message: str) -> None:
    code, said = run(*flags)
    assert code == 2
    assert message in said


def test_a_wrong_graph_ends_with_one_line_and_is_told_to_the_node(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as node:
        node.bind(str(tmp_path / "node"))
        node.settimeout(10)
        code, said = run(
            "--graph_name=animals", "--graph-json={}", ROUSE_NOTIFY_SOCKET=str(tmp_path / "node")
        )
        told = orjson.loads(node.recv(4096))
    message = (
        "Cannot serve graph animals: --graph-json: nodes: must be an object with at least the "
        "node 'root'"
    )
    assert code == 1
    assert [orjson.loads(line)["message"] for line in said.splitlines()] == [message]
    assert (told["type"], told["error"]) == ("failed", message)


def test_a_timeout_that_is_not_applied_is_told() -> None:
    graph = GRAPH[:-1] + ',"routerTimeouts":{"serverIdle":5}}'
    # A file descriptor that is no socket ends it.
    code, said = run("--graph-json", graph, ROUSE_LISTEN_FD="none")
    assert code == 1
    assert "routerTimeouts.serverIdle is not applied" in said.splitlines()[0]


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        for flags, env in (((f"--http-port={port}",), {}), ((), {"PORT": str(port)})):
            code, said = run("--graph-json", GRAPH, *flags, HTTP_PORT="", **env)
            assert code == 1
            assert f"Cannot listen on port {port}" in said


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, predictors.graph.cli, predictors.graph.server;"
        "print(*({'numpy', 'httpx', 'pydantic', 'opentelemetry', 'grpc'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
