"""The command line of a router, with the flag that KServe's router is given."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Mapping, Sequence

from predictors.graph.proxies import proxy_of
from predictors.graph.spec import Graph, parse_graph
from predictors.graph.upstream import ClientSettings
from predictors.serving import logs
from predictors.serving.errors import StartupError
from predictors.serving.notify import Notifier
from predictors.serving.numbers import number, port, whole
from predictors.serving.settings import Limits

__all__ = ["main"]

_log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Serve a graph; the exit code: 2 for wrong flags, 1 for a graph that is none."""
    arguments = _parser(os.environ).parse_args(argv)
    logs.configure(arguments.log_level, arguments.log_format)
    try:
        proxy = proxy_of(os.environ)
        graph = parse_graph(arguments.graph_json, arguments.graph_name, proxy)
    except StartupError as error:
        message = f"Cannot serve graph {arguments.graph_name}: {error}"
        _log.error(message)
        Notifier(os.environ.get("ROUSE_NOTIFY_SOCKET")).failed(message)
        return 1
    return _serve(arguments, graph, os.environ)


def _serve(arguments: argparse.Namespace, graph: Graph, env: Mapping[str, str]) -> int:
    # Imported late: a command line that is wrong is refused at once.
    from predictors.graph.server import Settings, serve

    if graph.timeouts.idle is not None:
        _log.warning("routerTimeouts.serverIdle is not applied: idle connections stay open")
    settings = Settings(
        http_port=arguments.http_port,
        listen_fd=env.get("ROUSE_LISTEN_FD"),
        notify_socket=env.get("ROUSE_NOTIFY_SOCKET"),
        drain_seconds=arguments.drain_seconds,
        access_log=arguments.access_log,
        propagated=env.get("PROPAGATE_HEADERS", "").split(","),
        limits=Limits(
            body_bytes=arguments.max_body,
            body_seconds=graph.timeouts.body,
            in_flight=arguments.max_in_flight,
        ),
        client=ClientSettings(
            connections=arguments.connections,
            retries=arguments.retries,
            body_bytes=arguments.max_body,
        ),
    )
    return serve(settings, graph)


def _parser(env: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m predictors.graph",
        description="Route requests through the services of an InferenceGraph.",
        epilog="PROPAGATE_HEADERS holds regular expressions, between commas, of the names of "
        "headers that steps get beside those of traces.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    listened = env.get("HTTP_PORT") or env.get("PORT") or "8080"
    add("--graph-json", "--graph_json", required=True, help="spec of the graph, with URLs")
    add("--graph_name", "--graph-name", type=_name, default="graph", help="in logs and metrics")
    add("--http_port", "--http-port", type=port, default=listened, help="port, on all addresses")
    add("--max_body", type=whole(1), default=Limits.body_bytes, help="largest body, in bytes")
    add("--max_in_flight", type=whole(1), default=Limits.in_flight, help="requests before 503")
    add("--connections", type=whole(1), default=256, help="to one host and port at a time")
    add("--retries", type=whole(0), default=3, help="of refused connections")
    add("--drain_seconds", type=number, default=30.0, help="for requests in flight at SIGTERM")
    add("--log_level", choices=logs.LEVELS, default="info", help="debug adds stack traces")
    add("--log_format", choices=logs.FORMATS, default=env.get("LOG_FORMAT", "json"), help="of it")
    add("--access_log", action="store_true", help="a line in the log for each request")
    return parser


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("the name is empty")
    return text
