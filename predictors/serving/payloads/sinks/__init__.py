"""Places that events are sent to, each called by threads of its own.

A sink is made of a URL by `sink_of`, which imports what that one needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from predictors.serving.errors import StartupError

if TYPE_CHECKING:
    from predictors.serving.payloads.events import Event
    from predictors.serving.payloads.settings import LoggerSettings

__all__ = ["Sink", "SinkError", "sink_of", "store_of"]


class SinkError(Exception):
    """Events were not taken; `retry` says whether another try may help."""

    def __init__(self, message: str, *, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


class Sink(Protocol):
    """A place for events; `send` is called by `threads` threads.

    A batch has at most `batch_size` events and waits at most `batch_seconds` for them.
    """

    name: str
    threads: int
    batch_size: int
    batch_seconds: float

    def send(self, events: Sequence[Event]) -> None:
        """Take all events or raise `SinkError`."""

    def close(self) -> None:
        """Give back connections and files."""


def sink_of(url: str, settings: LoggerSettings) -> Sink:
    """The sink of a URL. Raises `StartupError`."""
    if url in ("-", "stdout", "stdout:", "stdout://"):
        from predictors.serving.payloads.sinks.files import StdoutSink

        return StdoutSink()
    match url.partition("://")[0].lower():
        case "http" | "https":
            from predictors.serving.payloads.sinks.web import WebSink

            return WebSink(url, settings.batch_size or 1, settings.batch_seconds)
        case "file":
            from predictors.serving.payloads.sinks.files import FileSink

            return FileSink(url)
        case "s3" | "s3a" | "gs" | "gcs" | "az" | "azure" | "abfs" | "abfss":
            return store_of(url, settings)
    raise StartupError(
        f"ROUSE_LOGGER_URL: {url!r} is no sink; give http(s)://, file:///, stdout, s3://, gs:// or "
        "abfs://."
    )


def store_of(url: str, settings: LoggerSettings) -> Sink:
    """The sink of files below a folder or a place in a bucket. Raises `StartupError`."""
    from predictors.serving.payloads.sinks.store import StoreSink

    return StoreSink(url, settings)
