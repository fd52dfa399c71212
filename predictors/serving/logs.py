"""Structured logs: one JSON object a line, or plain text, on stderr; and the access log."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from predictors.serving.observation import Call, Finish, current

__all__ = ["FORMATS", "LEVELS", "AccessLog", "configure"]

LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("json", "text")

_access = logging.getLogger("predictors.access")


class _JsonFormatter(logging.Formatter):
    """Stack traces are part of a line at debug level only; the message stays one line always."""

    def __init__(self, *, traces: bool) -> None:
        super().__init__()
        self._traces = traces

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = f"{type(error).__name__}: {error}"
            if self._traces:
                line["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class _TextFormatter(logging.Formatter):
    """For people: the time, the message, and who it is about."""

    def __init__(self, *, traces: bool) -> None:
        super().__init__()
        self._traces = traces

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone()
        told = "".join(f" {name}={value}" for name, value in _fields(record).items())
        message = record.getMessage().replace("\n", "\\n")
        line = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d} {record.levelname:<7} "
        line += f"{record.name}: {message}{told}"
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line += f" ({type(error).__name__}: {error})"
            if self._traces:
                line += "\n" + self.formatException(record.exc_info)
        return line


class AccessLog:
    """An observer that writes one line for each call."""

    def begin(self, call: Call) -> Finish:
        """Write when it is over."""
        return lambda: self._ended(call)

    def close(self, seconds: float) -> None:
        """Nothing waits."""

    def _ended(self, call: Call) -> None:
        fields = {
            "protocol": call.protocol,
            "path": call.path,
            "status": call.status,
            "seconds": round((call.ended_ns - call.started_ns) / 1e9, 6),
            "request_bytes": len(call.body),
            "response_bytes": len(call.answer),
            **_told(call),
        }
        _access.info("%s %s", call.verb, call.model or call.path, extra={"fields": fields})


def configure(level: str, form: str = "json") -> None:
    """Send every logger, and Python's warnings, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    kind = _JsonFormatter if form == "json" else _TextFormatter
    handler.setFormatter(kind(traces=level == "debug"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    if root.level != logging.getLevelName(level.upper()):
        # Setting it visits every logger there is, and a forked child would copy their pages.
        root.setLevel(level.upper())
    logging.captureWarnings(True)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says beside its message: of its own, or of the call it was written in."""
    own: dict[str, Any] | None = getattr(record, "fields", None)
    if own is not None:
        return own
    call = current()
    return _told(call) if call is not None else {}


def _told(call: Call) -> dict[str, Any]:
    told = {
        "model": call.model,
        "version": call.version,
        "request_id": call.request_id,
        "trace_id": call.trace_id,
        "error": call.error,
    }
    return {name: value for name, value in told.items() if value}
