"""Events posted to a URL: one by one in CloudEvents' binary mode, or several in its batched mode.

http.client of the standard library: a post costs a third of what it does with a full client, and
an image carries no further package. Each thread keeps one connection.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import orjson

from predictors.serving.errors import StartupError
from predictors.serving.payloads.events import Event
from predictors.serving.payloads.sinks import SinkError

__all__ = ["Poster", "WebSink"]

_SENDERS: Final = 4
_TIMEOUT_SECONDS: Final = 10.0
_RETRIED: Final = frozenset({404, 408, 425, 429, 500, 502, 503, 504})
"""404 as well: a broker's or a Knative Service's route may not be there yet."""
_BATCH: Final = "application/cloudevents-batch+json; charset=utf-8"


class Poster:
    """Posts to one URL, over a connection kept by each thread. Raises `StartupError`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise StartupError(f"payload logger: {url!r} is no URL: {error}.") from error
        if not parts.hostname:
            raise StartupError(f"payload logger: {url!r} is no URL: it has no host.")
        self._host, self._port = parts.hostname, port
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._kept = threading.local()
        self._open: set[http.client.HTTPConnection] = set()

    def post(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """The body of the answer. Raises `SinkError`."""
        used = hasattr(self._kept, "connection")
        try:
            return self._asked(body, headers)
        except (http.client.HTTPException, OSError) as error:
            self._drop()
            if used:
                # The other side closes connections that were idle: that is no failure yet.
                return self.post(body, headers)
            what = str(error) or type(error).__name__
            raise SinkError(f"{self._host}: {what}", retry=True) from error

    def close(self) -> None:
        """Close all connections; no thread posts any more."""
        while self._open:
            self._open.pop().close()

    def _asked(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        connection = self._connection()
        connection.request("POST", self._path, body, dict(headers))
        answer = connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise SinkError(
                f"{self._host} answered {answer.status}", retry=answer.status in _RETRIED
            )
        return said

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._kept, "connection", None)
        if connection is None:
            if self._tls is not None:
                connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=_TIMEOUT_SECONDS, context=self._tls
                )
            else:
                connection = http.client.HTTPConnection(
                    self._host, self._port, timeout=_TIMEOUT_SECONDS
                )
            self._kept.connection = connection
            self._open.add(connection)
        return connection

    def _drop(self) -> None:
        connection = getattr(self._kept, "connection", None)
        if connection is not None:
            connection.close()
            self._open.discard(connection)
            del self._kept.connection


class WebSink:
    """A URL that takes CloudEvents; with a `batch_size` above 1 as JSON arrays of them."""

    threads = _SENDERS

    def __init__(self, url: str, batch_size: int, batch_seconds: float) -> None:
        self._poster = Poster(url)
        self.name = urlsplit(url).hostname or "http"
        self.batch_size = batch_size
        self.batch_seconds = batch_seconds if batch_size > 1 else 0.0

    def send(self, events: Sequence[Event]) -> None:
        """Post them."""
        if self.batch_size > 1:
            body = orjson.dumps([event.structured() for event in events])
            self._poster.post(body, {"content-type": _BATCH})
            return
        for event in events:
            self._poster.post(event.body(), event.headers())

    def close(self) -> None:
        """Close what is open."""
        self._poster.close()
