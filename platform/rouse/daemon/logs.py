"""Logs for people, or one JSON object a line for machines."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final

import orjson

__all__ = ["FORMATS", "JsonFormatter", "set_up_logs"]

FORMATS: Final = ("text", "json")

_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest was given by ``extra``."""


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, what ``extra`` gave, and any traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def set_up_logs(format_: str = "text") -> None:
    """Send the logs of this process to its standard error, in one of `FORMATS`."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter()
        if format_ == "json"
        else logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # One line per request would be most of the log.
    logging.getLogger("httpx").setLevel(logging.WARNING)
