"""Metrics that user code keeps with prometheus_client, shown on the server's own page."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any, Final

from predictors.serving.metrics.custom import expose

__all__ = ["expose_prometheus"]

_log = logging.getLogger(__name__)

_OWN: Final = (
    "python_",
    "process_",
    "request_preprocess",
    "request_predict",
    "request_postprocess",
    "request_explain",
    "model_infer_request",
    "batch_request_queue",
)
"""Families every process has, and those that KServe and MLServer have in common with us."""


def expose_prometheus() -> None:
    """Show prometheus_client's registry, and MLServer's, where user code has imported them."""
    client = sys.modules.get("prometheus_client")
    if client is not None:
        expose("prometheus_client", lambda: _lines(client, client.REGISTRY))
    genuine = sys.modules.get("mlserver.metrics")
    registry = getattr(genuine, "REGISTRY", None)
    if client is not None and registry is not None:
        expose("mlserver", lambda: _lines(client, registry))


def _lines(client: Any, registry: Any) -> Iterator[str]:
    for line in client.generate_latest(registry).decode().splitlines():
        words = line.split(" ", 3)
        name = words[2] if line.startswith("#") and len(words) > 2 else line
        if not name.startswith(_OWN):
            yield line
