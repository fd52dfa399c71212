"""KServe's loggers; the server's own handlers write what they are given."""

import logging
from typing import Any, Final

__all__ = ["KSERVE_LOGGER_NAME", "configure_logging", "logger", "trace_logger"]

KSERVE_LOGGER_NAME: Final = "kserve"

logger: Final = logging.getLogger(KSERVE_LOGGER_NAME)
trace_logger: Final = logging.getLogger("kserve.trace")


def configure_logging(log_config: Any = None) -> None:
    """Nothing: logging is configured by the server."""
