"""A container's log in the CRI format: ``<time> <stream> <P|F> <text>`` a line.

Blocking reads of one file; which file, and when to look again, is the handler's business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

__all__ = ["LogOptions", "LogTail", "log_files", "parse_line", "since_offset", "tail_offset"]

_CHUNK = 64 * 1024
_BLOCK = 256 * 1024


def log_files(folder: Path) -> list[Path]:
    """The log of every start of a container, oldest first: ``0.log``, ``1.log`` ..."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    numbers = sorted(
        int(name.removesuffix(".log"))
        for name in names
        if name.endswith(".log") and name.removesuffix(".log").isdigit()
    )
    return [folder / f"{number}.log" for number in numbers]


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What of a log is wanted; ``limit`` is in bytes of output."""

    timestamps: bool = False
    tail: int | None = None
    since: datetime | None = None
    limit: int | None = None


class LogTail:
    """Reads one file onwards from where the options let it begin."""

    def __init__(self, file: Path, options: LogOptions) -> None:
        self._file = file
        self._options = options
        self._offset: int | None = None
        self._left = options.limit
        self._rest = b""

    @property
    def exhausted(self) -> bool:
        """Whether the limit is reached."""
        return self._left == 0

    def next_block(self) -> bytes:
        """The next lines as text; empty when there are no more for now, or the file is gone."""
        text = b""
        while not text and not self.exhausted:
            try:
                block = self._block()
            except FileNotFoundError:
                return b""
            if not block:
                return b""
            *lines, self._rest = (self._rest + block).split(b"\n")
            timestamps = self._options.timestamps
            text = b"".join(parse_line(line + b"\n", timestamps=timestamps) for line in lines)
            if self._left is not None:
                text = text[: self._left]
                self._left -= len(text)
        return text

    def _block(self) -> bytes:
        with self._file.open("rb") as file:
            if self._offset is None:
                self._offset = self._start(file)
            file.seek(self._offset)
            block = file.read(_BLOCK)
        self._offset += len(block)
        return block

    def _start(self, file: BinaryIO) -> int:
        options = self._options
        floor = since_offset(file, options.since) if options.since else 0
        return floor if options.tail is None else tail_offset(file, options.tail, floor)


def parse_line(line: bytes, *, timestamps: bool) -> bytes:
    """A CRI line as kubectl shows it; a line in another format as it is."""
    time, stream, tag, text = _fields(line)
    if stream is None:
        return line
    end = b"" if tag == b"P" else b"\n"
    return (time + b" " + text if timestamps else text) + end


def since_offset(file: BinaryIO, since: datetime) -> int:
    """Where the first line of ``since`` or later begins."""
    file.seek(0)
    offset = 0
    for line in file:
        moment = _moment(line)
        if moment is not None and moment >= since:
            return offset
        offset += len(line)
    return offset


def tail_offset(file: BinaryIO, lines: int, floor: int) -> int:
    """Where the last ``lines`` lines begin, but not before ``floor``; partial lines count once."""
    if lines == 0:
        return file.seek(0, os.SEEK_END)
    found = 0
    for start, line in _lines_backwards(file, floor):
        _, stream, tag, _ = _fields(line)
        if stream is None or tag != b"P":
            found += 1
            if found > lines:
                return start + len(line)
    return floor


def _lines_backwards(file: BinaryIO, floor: int) -> Iterator[tuple[int, bytes]]:
    """(offset, line with its newline), the last first."""
    end = file.seek(0, os.SEEK_END)
    rest = b""
    while end > floor:
        size = min(_CHUNK, end - floor)
        end -= size
        file.seek(end)
        block = file.read(size) + rest
        pieces = block.splitlines(keepends=True)
        first = 0 if end == floor else 1
        offset = end + len(block)
        for piece in reversed(pieces[first:]):
            offset -= len(piece)
            yield offset, piece
        rest = pieces[0] if first and pieces else b""


def _fields(line: bytes) -> tuple[bytes, bytes | None, bytes, bytes]:
    parts = line.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return b"", None, b"", line
    return parts[0], parts[1], parts[2], parts[3] if len(parts) > 3 else b""


def _moment(line: bytes) -> datetime | None:
    time, stream, _, _ = _fields(line)
    if stream is None:
        return None
    text = time.decode("ascii", "replace")
    head, dot, rest = text.partition(".")
    if dot:
        digits = rest.rstrip("Z0123456789+-:")
        fraction = "".join(char for char in rest[:6] if char.isdigit())
        zone = rest.lstrip("0123456789")
        text = f"{head}.{fraction:0<6}{zone}" if not digits else text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
