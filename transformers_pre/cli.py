"""The command line of a transformer, with the flags that KServe's transformers are given."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from predictors.serving import logs
from predictors.serving.numbers import number, port, whole
from predictors.serving.settings import Limits, PlaneSettings, Settings

if TYPE_CHECKING:
    from transformers_pre.transformer import Transformer

__all__ = ["main", "run"]

_NO_STEPS: Final = "transformers_pre.transformer:Transformer"


def run(transformer: type[Transformer]) -> None:
    """Serve a transformer by this process's command line, and exit: the last line of a script."""
    sys.exit(main(sys.argv[1:], transformer))


def main(argv: Sequence[str], transformer: type[Transformer] | None = None) -> int:
    """Serve a transformer, or the one that ``--module`` names; the exit code."""
    parser = _parser()
    arguments, unknown = parser.parse_known_args(argv)
    logs.configure(arguments.log_level)
    # One line for each request would be an access log, which the predictors have none of either.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if unknown:
        parser.error(f"unknown: {' '.join(unknown)}; options of the transformer go by --option")
    # Imported late: a command line that is wrong is refused at once.
    from predictors.serving.server import serve
    from transformers_pre.predictor import PredictorSettings
    from transformers_pre.runtime import TransformerRuntime

    predictor = PredictorSettings(
        host=arguments.predictor_host.rstrip("/"),
        model_name=arguments.predictor_model_name or arguments.model_name,
        protocol=arguments.predictor_protocol,
        tls=arguments.predictor_use_ssl,
        timeout_s=arguments.predictor_request_timeout_seconds,
        retries=arguments.predictor_request_retries,
        connections=arguments.predictor_connections,
    )
    named = transformer or arguments.module or _NO_STEPS
    runtime = TransformerRuntime(named, predictor, dict(arguments.option))
    return serve(_settings(arguments, os.environ), runtime)


def _settings(arguments: argparse.Namespace, env: Mapping[str, str]) -> Settings:
    limits = Limits(body_bytes=arguments.max_body, in_flight=arguments.max_in_flight)
    return Settings(
        model_name=arguments.model_name,
        source=env.get("STORAGE_URI") or ".",
        http_port=arguments.http_port,
        grpc_port=arguments.grpc_port,
        listen_fd=env.get("ROUSE_LISTEN_FD"),
        notify_socket=env.get("ROUSE_NOTIFY_SOCKET"),
        drain_seconds=arguments.drain_seconds,
        plane=PlaneSettings(limits=limits),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m transformers_pre",
        description="Serve a transformer: a class with preprocess and postprocess.",
        epilog="Without --module requests and answers pass as they are.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--model_name", default="model", help="name of the model in paths")
    add("--predictor_host", required=True, type=_host, help="HOST[:PORT] of the predictor")
    # KServe's older flag is the second name.
    spoken = ("--predictor_protocol", "--protocol")
    add(*spoken, choices=("v1", "v2", "grpc-v2"), default="v1", help="spoken to it")
    add("--predictor_model_name", help="the model's name there, if it is another")
    add("--predictor_use_ssl", type=_flag, default=False, help="whether it speaks TLS")
    add("--predictor_request_timeout_seconds", type=number, default=600.0, help="for its answer")
    add("--predictor_request_retries", type=whole(0), default=3, help="of refused connections")
    add("--predictor_connections", type=whole(1), default=256, help="to it; gRPC: calls")
    add("--module", help="module:Class or path/to/file.py:Class")
    add("--option", type=_option, action="append", default=[], help="KEY=VALUE for the transformer")
    add("--http_port", type=port, default=os.environ.get("HTTP_PORT", "8080"), help="port")
    add("--grpc_port", type=port, default=0, help="0: gRPC is not served")
    add("--max_body", type=whole(1), default=Limits.body_bytes, help="largest body, in bytes")
    add("--max_in_flight", type=whole(1), default=Limits.in_flight, help="requests before 503")
    add("--drain_seconds", type=number, default=30.0, help="for requests in flight at SIGTERM")
    add("--log_level", choices=logs.LEVELS, default="info", help="debug adds stack traces")
    return parser


def _host(text: str) -> str:
    host = text.rstrip("/")
    if "/" in host or not host:
        raise argparse.ArgumentTypeError(f'"{text}" is not HOST or HOST:PORT; leave http:// out')
    return host


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f'"{text}" is neither true nor false')
    return text.lower() in ("true", "1")


def _option(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f'"{text}" is not KEY=VALUE')
    return key, value
