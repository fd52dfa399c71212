"""MLServer's logger; the server's own handlers write what it is given."""

import logging
from typing import Final

__all__ = ["get_logger", "logger"]

logger: Final = logging.getLogger("mlserver")


def get_logger() -> logging.Logger:
    """The logger."""
    return logger
