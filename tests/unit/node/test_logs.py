"""Pipes -> CRI files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rouse.embedded.node.logs import ContainerLog, cri_line

NOW = 1_767_225_600_000_000_005


class Pipe:
    """A log with one pipe whose writing end the test holds."""

    def __init__(self, path: Path, *, max_file: int = 10 << 20, max_rate: int = 8 << 20) -> None:
        self.path = path
        self.now = NOW
        self.log = ContainerLog(
            path, max_file=max_file, max_rate=max_rate, clock_ns=lambda: self.now
        )
        self.end = self.log.open_pipe("stdout")

    async def write(self, data: bytes) -> None:
        """Write all of it, as a child would: it is never blocked for long."""
        os.set_blocking(self.end, False)
        async with asyncio.timeout(10):
            while data:
                try:
                    data = data[os.write(self.end, data) :]
                except BlockingIOError:
                    await asyncio.sleep(0)

    def lines(self) -> list[str]:
        self.log.close()
        return [line.partition("Z ")[2] for line in self.path.read_text().splitlines()]


@pytest.fixture
async def pipe(tmp_path: Path) -> AsyncIterator[Pipe]:
    pipe = Pipe(tmp_path / "new/folder/0.log")
    yield pipe
    os.close(pipe.end)
    pipe.log.close()


def test_the_format() -> None:
    assert (
        cri_line(NOW, "stderr", b"text", full=True)
        == b"2026-01-01T00:00:00.000000005Z stderr F text\n"
    )


async def test_lines_across_writes(pipe: Pipe) -> None:
    for piece in (b"a\nb", b"c\n\nd\r\n", b"\xff\xfe\n", b"unfinished"):
        await pipe.write(piece)
        await asyncio.sleep(0)
    pipe.log.close()
    lines = pipe.path.read_bytes().split(b"\n")[:-1]
    assert [line.partition(b" stdout ")[2] for line in lines] == [
        *(b"F a", b"F bc", b"F ", b"F d\r", b"F \xff\xfe", b"F unfinished")
    ]
    assert pipe.log.tail == ("a", "bc", "", "d", "��", "unfinished")


async def test_long_lines_come_in_pieces(pipe: Pipe) -> None:
    await pipe.write(b"x" * 40_000 + b"\nend\n")
    lines = pipe.lines()
    assert [(line[:8], len(line)) for line in lines] == [
        ("stdout P", 9 + 16_384),
        ("stdout P", 9 + 16_384),
        ("stdout F", 9 + 40_000 - 2 * 16_384),
        ("stdout F", 12),
    ]


async def test_files_are_bounded(tmp_path: Path) -> None:
    pipe = Pipe(tmp_path / "0.log", max_file=10_000)
    for _ in range(200):
        await pipe.write(b"y" * 500 + b"\n")
    pipe.log.close()
    os.close(pipe.end)
    sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert set(sizes) == {"0.log", "0.log.1"}
    assert max(sizes.values()) <= 10_000 + 70_000


async def test_a_flood_is_dropped_with_a_marker_and_blocks_nobody(tmp_path: Path) -> None:
    pipe = Pipe(tmp_path / "0.log", max_rate=100_000)
    await pipe.write(b"z" * 99 + b"\n")
    await pipe.write((b"z" * 99 + b"\n") * 20_000)
    await asyncio.sleep(0.05)
    pipe.now += 1_000_000_000
    await pipe.write(b"calm again\n")
    lines = pipe.lines()
    os.close(pipe.end)
    assert lines[-1] == "stdout F calm again"
    assert lines[-2].startswith("stderr F [rouse: ")
    assert lines[-2].endswith("bytes of output dropped: more than 100000 a second]")
    assert len(lines) < 2000


async def test_only_the_last_lines_are_remembered(pipe: Pipe) -> None:
    await pipe.write(b"".join(b"%d\n" % number for number in range(100)))
    pipe.log.close()
    assert pipe.log.tail == tuple(str(number) for number in range(80, 100))


async def test_a_disk_that_refuses_loses_lines_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    pipe = Pipe(tmp_path / "file/0.log")
    await pipe.write(b"lost\n")
    pipe.log.close()
    os.close(pipe.end)
    assert pipe.log.tail == ("lost",)
