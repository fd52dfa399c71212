"""The command line of every predictor, with KServe's flags so that its runtimes' args work."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from predictors.serving import logs
from predictors.serving.numbers import number, port, whole
from predictors.serving.settings import BatchSettings, Limits, PlaneSettings, Settings
from predictors.serving.warm import run_warm_parent

if TYPE_CHECKING:
    from predictors.serving.model import Runtime

__all__ = ["main", "parser_of"]

_log = logging.getLogger(__name__)

_NEAR: Final = 0.85
"""A slip of the finger is this like what was meant; KServe's own other flags are less."""


def main(argv: Sequence[str], runtime: Runtime) -> int:
    """Run a predictor, or with ``--warm`` the parent of predictors; the exit code."""
    parser = parser_of(runtime.name, os.environ)
    arguments, unknown = parser.parse_known_args(argv)
    logs.configure(arguments.log_level, arguments.log_format)
    if arguments.warm:
        return run_warm_parent(runtime, lambda args: main(args, runtime))
    if arguments.standby:
        from predictors.serving.standby import run_standby

        return run_standby(runtime, lambda args: main(args, runtime), arguments.http_port)
    if unknown:
        _log.warning("flags of other servers are ignored: %s", _ignored(unknown, vars(arguments)))
    # Imported late: it imports numpy, which a warm parent must do after its own preparations.
    from predictors.serving.server import serve

    return serve(_settings(arguments, os.environ), runtime)


def _ignored(unknown: Sequence[str], known: Iterable[str]) -> str:
    """The flags, and of each that is nearly a known one, which was perhaps meant."""
    from difflib import get_close_matches  # only a flag that is not known needs it

    flags = [f"--{name}" for name in known]
    told = []
    for word in unknown:
        near = get_close_matches(word.partition("=")[0], flags, n=1, cutoff=_NEAR)
        told.append(f"{word} (did you mean {near[0]}?)" if near else word)
    return " ".join(told)


def _settings(arguments: argparse.Namespace, env: Mapping[str, str]) -> Settings:
    return Settings(
        model_name=arguments.model_name,
        source=env.get("STORAGE_URI") or arguments.model_dir,
        repository=arguments.model_repository,
        all_versions=arguments.version_policy == "all",
        http_port=arguments.http_port,
        grpc_port=arguments.grpc_port,
        workers=arguments.workers,
        listen_fd=env.get("ROUSE_LISTEN_FD"),
        notify_socket=env.get("ROUSE_NOTIFY_SOCKET"),
        drain_seconds=arguments.drain_seconds,
        hang_seconds=arguments.hang_seconds,
        access_log=arguments.access_log,
        plane=PlaneSettings(
            limits=Limits(
                body_bytes=arguments.max_body,
                body_seconds=arguments.body_seconds,
                in_flight=arguments.max_in_flight,
                waiting=arguments.max_queue,
                threads=arguments.threads,
                request_seconds=arguments.request_seconds,
            ),
            batch=BatchSettings(arguments.max_batch_size, arguments.max_batch_latency_ms / 1e3),
            cache_bytes=arguments.cache_size,
        ),
    )


def parser_of(framework: str, env: Mapping[str, str]) -> argparse.ArgumentParser:
    """The flags of every predictor. Made once, by a warm parent for its children."""
    size = env.get("ROUSE_BATCH_MAX_SIZE", "64")
    latency = env.get("ROUSE_BATCH_MAX_LATENCY_MS", "0")
    return _parser(framework, size, latency, env.get("LOG_FORMAT", "json"))


@cache
def _parser(framework: str, size: str, latency: str, form: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m predictors.{framework}",
        description=f"Serve a {framework} model over the V1 and V2 protocols.",
        epilog="STORAGE_URI, when set, is used instead of --model_dir; ROUSE_BATCH_MAX_SIZE and "
        "ROUSE_BATCH_MAX_LATENCY_MS are the defaults of the flags about batches.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--model_name", type=_name, default="model", help="name of the model in paths")
    add("--model_dir", default="/mnt/models", help="folder, file or URI of the model")
    add("--model_repository", help="folder of many models, served instead of --model_dir")
    add(
        "--version_policy", choices=("latest", "all"), default="latest", help="what of it is served"
    )
    add("--http_port", type=port, default=8080, help="port, on all addresses")
    add("--grpc_port", type=port, default=0, help="gRPC port; 0: no gRPC")
    add("--workers", type=whole(1), default=1, help="processes that share the port")
    add("--max_body", type=whole(1), default=Limits.body_bytes, help="largest body, in bytes")
    add("--body_seconds", type=number, default=Limits.body_seconds, help="for a body to arrive")
    add("--request_seconds", type=number, default=0.0, help="for an answer, 0 for no limit")
    add("--max_in_flight", type=whole(1), default=Limits.in_flight, help="requests before 503")
    add("--max_queue", type=whole(0), default=Limits.waiting, help="waiting for a model before 503")
    add("--threads", type=whole(1), default=Limits.threads, help="threads of each model")
    add("--max_batch_size", type=whole(1), default=size, help="rows joined in one call, 1 for none")
    add("--max_batch_latency_ms", type=number, default=latency, help="wait for company that long")
    add("--cache_size", type=whole(0), default=0, help="bytes of answers kept to be given again")
    add("--drain_seconds", type=number, default=30.0, help="for requests in flight at SIGTERM")
    add("--hang_seconds", type=number, default=120.0, help="replace hung workers, 0: never")
    add("--log_level", choices=logs.LEVELS, default="info", help="debug adds stack traces")
    add("--log_format", choices=logs.FORMATS, default=form, help="of the log on stderr")
    add("--access_log", action="store_true", help="a line in the log for each inference request")
    add("--warm", action="store_true", help="import, wait, and fork predictors on demand")
    add("--standby", action="store_true", help="import, and wait to be told what to serve")
    return parser


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("the name is empty")
    return text
