"""Events as files below a folder or a place in a bucket, many in each file."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import orjson

from predictors.serving.errors import StartupError, StorageError
from predictors.serving.payloads.events import Event
from predictors.serving.payloads.formats import format_of
from predictors.serving.payloads.settings import LoggerSettings
from predictors.serving.payloads.sinks import SinkError
from predictors.serving.payloads.sinks.web import Poster
from predictors.storage.errors import TransientError

__all__ = ["StoreSink"]

_NAME: Final = "%Y/%m/%d/%H%M%S"


class _Files(Protocol):
    """Where whole files are put."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file that was not there before. Raises `SinkError`."""


class StoreSink:
    """Writes ``STORE/YYYY/MM/DD/HHMMSS-HOST-PROCESS-N.json`` (or csv, parquet).

    With a marshaller, events are posted there as a JSON array, and its answer is the file.
    Raises `StartupError` where the store or the format cannot be had.
    """

    threads = 1

    def __init__(self, url: str, settings: LoggerSettings) -> None:
        self.name = urlsplit(url).scheme or "folder"
        self.batch_size = settings.file_events
        self.batch_seconds = settings.file_seconds
        self._write = format_of(settings.format)
        self._suffix = settings.format
        self._marshaller = Poster(settings.marshaller) if settings.marshaller else None
        self._files = _files_of(url, settings)
        self._numbers = itertools.count()
        self._who = f"{socket.gethostname()}-{os.getpid()}"

    def send(self, events: Sequence[Event]) -> None:
        """Write one file of them."""
        if self._marshaller is None:
            data = self._write(events)
        else:
            body = orjson.dumps([event.structured() for event in events])
            data = self._marshaller.post(body, {"content-type": "application/json"})
        moment = datetime.fromtimestamp(events[0].time_ns / 1e9, UTC).strftime(_NAME)
        self._files.put(f"{moment}-{self._who}-{next(self._numbers)}.{self._suffix}", data)

    def close(self) -> None:
        """Nothing is open."""
        if self._marshaller is not None:
            self._marshaller.close()


def _files_of(url: str, settings: LoggerSettings) -> _Files:
    scheme = urlsplit(url).scheme
    if scheme in ("", "file"):
        return _Folder(Path(unquote(urlsplit(url).path)))
    return _Bucket(url, settings)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartupError(f"ROUSE_LOGGER_STORE_URI: {folder}: {error}") from error

    def put(self, name: str, data: bytes) -> None:
        path = self._folder / name
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data)
            part.replace(path)
        except OSError as error:
            raise SinkError(f"{path}: {error}", retry=True) from error


class _Bucket:
    def __init__(self, url: str, settings: LoggerSettings) -> None:
        # Imported late: it is 20 ms that only a server with such a logger should take.
        from predictors.storage.settings import TransferSettings
        from predictors.storage.sources.objects import ObjectSource

        try:
            self._source = ObjectSource(url, settings.credentials, TransferSettings())
        except StorageError as error:
            raise StartupError(f"payload logger: {error}") from error

    def put(self, name: str, data: bytes) -> None:
        try:
            self._source.write(name, data)
        except StorageError as error:
            raise SinkError(str(error), retry=isinstance(error, TransientError)) from error
