"""``kserve.ModelServer`` and its flags: starting it starts this server."""

from __future__ import annotations

import argparse
from typing import Any, Final

from predictors.custom.handover import serve_models

from .logging import logger

__all__ = ["ModelServer", "args", "parser"]

parser: Final = argparse.ArgumentParser(add_help=False)
"""For ``ArgumentParser(parents=[model_server.parser])``."""
parser.add_argument("--http_port", type=int, default=8080)
parser.add_argument("--grpc_port", type=int, default=0)
parser.add_argument("--workers", type=int, default=1)
parser.add_argument("--model_name", default="model")
parser.add_argument("--predictor_host")
parser.add_argument("--predictor_protocol", default="v1")

args: Final = parser.parse_known_args()[0]


class ModelServer:
    """Takes what KServe's takes; what this server decides otherwise is said and left."""

    def __init__(
        self, http_port: int | None = None, workers: int | None = None, **others: Any
    ) -> None:
        self.http_port = args.http_port if http_port is None else http_port
        self.workers = args.workers if workers is None else workers
        if others:
            logger.info("ModelServer: %s mean nothing here", ", ".join(sorted(others)))

    def start(self, models: Any) -> None:
        """Serve `models` until told to stop. Raises SystemExit with the exit code."""
        raise SystemExit(serve_models(list(models), [f"--http_port={self.http_port}"]))
