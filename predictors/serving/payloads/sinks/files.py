"""Events as lines of JSON: on standard output, or in a file that is put aside when it is large."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

from predictors.serving.errors import StartupError
from predictors.serving.payloads.events import Event
from predictors.serving.payloads.sinks import SinkError

__all__ = ["FileSink", "StdoutSink", "json_lines"]

_TOGETHER: Final = 100
_FILE_BYTES: Final = 64 * 1024 * 1024
_KEPT_FILES: Final = 5


def json_lines(events: Sequence[Event]) -> bytes:
    """One event a line."""
    lines = (orjson.dumps(event.structured(), option=orjson.OPT_APPEND_NEWLINE) for event in events)
    return b"".join(lines)


class StdoutSink:
    """Standard output, for those who collect it anyway."""

    name = "stdout"
    threads = 1
    batch_size = _TOGETHER
    batch_seconds = 0.0

    def send(self, events: Sequence[Event]) -> None:
        """Write the lines at once, so that those of others do not fall between."""
        try:
            sys.stdout.buffer.write(json_lines(events))
            sys.stdout.buffer.flush()
        except OSError as error:
            raise SinkError(f"standard output: {error}", retry=False) from error

    def close(self) -> None:
        """Nothing to give back."""


class FileSink:
    """``file:///PATH?max_bytes=N&files=N``: PATH is written, PATH.1 was before it, and so on.

    Raises `StartupError` where the file cannot be opened.
    """

    name = "file"
    threads = 1
    batch_size = _TOGETHER
    batch_seconds = 0.0

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        self._path = Path(unquote(parts.path))
        self._max_bytes = _count(query, "max_bytes", _FILE_BYTES)
        self._files = _count(query, "files", _KEPT_FILES)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open()
        except OSError as error:
            raise StartupError(
                f"ROUSE_LOGGER_URL: {self._path} cannot be written: {error}"
            ) from error

    def send(self, events: Sequence[Event]) -> None:
        """Append the lines; before that put a file aside that is large enough."""
        lines = json_lines(events)
        try:
            if self._file.closed:
                self._file = self._open()
            if self._file.tell() and self._file.tell() + len(lines) > self._max_bytes:
                self._rotate()
            self._file.write(lines)
            self._file.flush()
        except OSError as error:
            # Another try could write half of the lines twice.
            raise SinkError(f"{self._path}: {error}", retry=False) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> BinaryIO:
        return self._path.open("ab")

    def _rotate(self) -> None:
        written = os.fstat(self._file.fileno())
        self._file.close()
        try:
            # Other workers write the same file: one of them may have put it aside already.
            if os.path.samestat(written, self._path.stat()):
                self._put_aside()
        except FileNotFoundError:
            pass
        self._file = self._open()

    def _put_aside(self) -> None:
        for number in range(self._files - 1, 0, -1):
            before = self._path if number == 1 else self._aside(number - 1)
            if before.exists():
                before.replace(self._aside(number))
        if self._files == 1:
            self._path.unlink()

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _count(query: dict[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[0]
    if not text.isdecimal() or int(text) < 1:
        raise StartupError(f"ROUSE_LOGGER_URL: {name} must be a number, 1 or more, got {text!r}.")
    return int(text)
