"""A container's log in the CRI format: ``<time> <stream> <P|F> <text>`` a line.

Pure reading of bytes; which file and when to look again is the handler's business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

__all__ = ["LogOptions", "log_files", "parse_line", "since_offset", "tail_offset"]

_CHUNK = 64 * 1024


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


class LogOptions:
    """What of a log is wanted."""

    def __init__(
        self, *, timestamps: bool, tail: int | None, since: datetime | None, limit: int | None
    ) -> None:
        self.timestamps = timestamps
        self.tail = tail
        self.since = since
        self.limit = limit
        """Bytes of output at most."""


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
