"""Output of containers: pipes -> CRI log files that kubectl reads, and the last lines in memory.

A line of a CRI file is ``2026-01-01T00:00:00.000000000Z stdout F text``; ``P`` instead of ``F``
marks a piece of a line that goes on. A child is never blocked by its log: beyond a rate, what it
writes is read and dropped, and a marker says how much.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["ContainerLog", "cri_line"]

MAX_FILE: Final = 10 << 20
"""Bytes of a log file; one rotated file more is kept beside it."""
MAX_LINE: Final = 16 << 10
MAX_RATE: Final = 8 << 20
"""Bytes a second of one container that are kept."""
TAIL_LINES: Final = 20
_TAIL_WIDTH: Final = 2000
_READ: Final = 64 << 10
_LAST_READS: Final = 32


def cri_line(now_ns: int, stream: str, text: bytes, *, full: bool) -> bytes:
    """One line of a CRI log file; ``now_ns`` is nanoseconds since 1970."""
    seconds, nanos = divmod(now_ns, 1_000_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return b"%s.%09dZ %s %s %s\n" % (
        stamp.encode(), nanos, stream.encode(), b"F" if full else b"P", text
    )  # fmt: skip


class _Splitter:
    """Bytes in, (line, is complete) out; holds at most MAX_LINE bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            yield from _pieces(line)
        while len(self._rest) > MAX_LINE:
            yield self._rest[:MAX_LINE], False
            self._rest = self._rest[MAX_LINE:]

    def flush(self) -> Iterator[tuple[bytes, bool]]:
        if self._rest:
            yield self._rest, True
            self._rest = b""


def _pieces(line: bytes) -> Iterator[tuple[bytes, bool]]:
    while len(line) > MAX_LINE:
        yield line[:MAX_LINE], False
        line = line[MAX_LINE:]
    yield line, True


class _File:
    """An append-only file of bounded size, opened at its first line. A full disk loses lines."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        try:
            if self._file is None or self._size + len(data) > self._limit:
                self._open()
            if self._file is not None:
                self._size += self._file.write(data)
        except OSError:
            self.close()

    def _open(self) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        else:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._file = self._path.open("ab", buffering=0)
        self._size = self._file.tell()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class ContainerLog:
    """The log of one attempt at running a container."""

    def __init__(
        self,
        path: Path,
        *,
        max_file: int = MAX_FILE,
        max_rate: int = MAX_RATE,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._file = _File(path, max_file)
        self._rate = max_rate
        self._clock = clock_ns
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._pipes: dict[int, tuple[str, _Splitter]] = {}
        self._second = 0
        self._written = 0
        self._dropped = 0

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines of both streams, each cut at 2,000 characters."""
        return tuple(self._tail)

    def open_pipe(self, stream: str) -> int:
        """A pipe for ``stdout`` or ``stderr``: returns the end to give to the child, which the
        caller closes once the child has it."""
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read_end, False)
        self._pipes[read_end] = (stream, _Splitter())
        asyncio.get_running_loop().add_reader(read_end, self._readable, read_end)
        return write_end

    def write(self, stream: str, text: str) -> None:
        """Add a line of the node's own."""
        self._append(stream, [(line.encode(), True) for line in text.splitlines()])

    def close(self) -> None:
        """Read what is left in the pipes (bounded: someone may still write), close everything."""
        for fd in list(self._pipes):
            for _ in range(_LAST_READS):
                if fd not in self._pipes or not self._readable(fd):
                    break
            self._close_pipe(fd)
        self._note_dropped()
        self._file.close()

    def _readable(self, fd: int) -> bool:
        """One bounded read; False when there is nothing now or nothing any more."""
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._close_pipe(fd)
            return False
        stream, splitter = self._pipes[fd]
        within = self._within_rate(len(data))
        # what comes after a gap is not the rest of the line before it
        self._append(stream, splitter.feed(data) if within else splitter.flush())
        return True

    def _close_pipe(self, fd: int) -> None:
        pipe = self._pipes.pop(fd, None)
        if pipe is not None:
            asyncio.get_running_loop().remove_reader(fd)
            os.close(fd)
            self._append(pipe[0], pipe[1].flush())

    def _within_rate(self, size: int) -> bool:
        second = self._clock() // 1_000_000_000
        if second != self._second:
            self._second, self._written = second, 0
        self._written += size
        if self._written > self._rate:
            self._dropped += size
            return False
        self._note_dropped()
        return True

    def _note_dropped(self) -> None:
        if self._dropped:
            note = (
                f"[rouse: {self._dropped} bytes of output dropped: more than {self._rate} a second]"
            )
            self._dropped = 0
            self._append("stderr", [(note.encode(), True)])

    def _append(
        self, stream: str, lines: Iterator[tuple[bytes, bool]] | list[tuple[bytes, bool]]
    ) -> None:
        now = self._clock()
        out = []
        for line, full in lines:
            out.append(cri_line(now, stream, line, full=full))
            if full:
                self._tail.append(line[:_TAIL_WIDTH].decode("utf-8", "replace").rstrip("\r"))
        if out:
            self._file.write(b"".join(out))
