"""python -m perf.download: our fetching of a big file beside a plain multi-connection download.

Both take the same file from the same server (Envoy is not needed: the kernel's sendfile is), each
in a process of its own, in turns. The plain one is what is left when everything but moving bytes is
taken away: as many threads, sockets, ranges of equal size, pwrite.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from perf.report import Figure, publish

CONNECTIONS = 8
_CHUNK = 1024 * 1024
_RANGE = re.compile(rb"range: bytes=(\d+)-(\d+)", re.IGNORECASE)


async def _answer(path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        size = path.stat().st_size
        found = _RANGE.search(head)
        start, end = (int(found[1]), min(int(found[2]) + 1, size)) if found else (0, size)
        status = f"206 Partial Content\r\ncontent-range: bytes {start}-{end - 1}/{size}"
        writer.write(
            f"HTTP/1.1 {status if found else '200 OK'}\r\ncontent-length: {end - start}\r\n"
            'etag: "1"\r\nconnection: close\r\n\r\n'.encode()
        )
        await writer.drain()
        with path.open("rb") as file:
            await asyncio.get_running_loop().sendfile(writer.transport, file, start, end - start)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def serve(path: Path) -> None:
    """Serve one file with ranges until killed; prints the port."""
    server = await asyncio.start_server(lambda r, w: _answer(path, r, w), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def plain(port: int, size: int, folder: Path) -> None:
    """Download by as many connections as ours, and do nothing else."""
    fd = os.open(folder / "plain", os.O_WRONLY | os.O_CREAT, 0o600)
    os.ftruncate(fd, size)
    each = -(-size // CONNECTIONS)

    def part(start: int) -> None:
        end = min(start + each, size)
        with socket.create_connection(("127.0.0.1", port)) as link:
            wanted = f"range: bytes={start}-{end - 1}"
            link.sendall(f"GET /model.bin HTTP/1.1\r\nhost: x\r\n{wanted}\r\n\r\n".encode())
            buffer = memoryview(bytearray(_CHUNK))
            rest = b""
            while b"\r\n\r\n" not in rest:
                rest += link.recv(4096)
            body = rest.partition(b"\r\n\r\n")[2]
            at = start + os.pwrite(fd, body, start)
            while count := link.recv_into(buffer):
                at += os.pwrite(fd, buffer[:count], at)
        if at != end:
            raise SystemExit(f"the plain download ended at {at}, not {end}")

    crew = [threading.Thread(target=part, args=(start,)) for start in range(0, size, each)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    os.close(fd)


def ours(port: int, size: int, folder: Path) -> None:
    """Fetch into a cache, as a node does: resumable, published whole, flushed later."""
    from predictors.storage.cache import Cache

    entry = Cache(folder).fetch(f"http://127.0.0.1:{port}/model.bin", env={})
    if entry is None or entry.bytes != size:
        raise SystemExit("the model is not whole")


@contextmanager
def origin(path: Path) -> Iterator[int]:
    """A server process of the file; its port."""
    command = [sys.executable, "-m", "perf.download", "--serve", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def measured(kind: str, port: int, size: int, folder: Path) -> float:
    """Megabytes a second of one download, start of its process left out."""
    with tempfile.TemporaryDirectory(dir=folder) as target:
        command = [sys.executable, "-m", "perf.download", "--client", kind]
        command += ["--port", str(port), "--bytes", str(size), "--folder", target]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    os.sync()
    return size / 1e6 / float(done.stdout)


def make(path: Path, size: int) -> None:
    """A file of bytes that no layer compresses."""
    with path.open("wb") as file:
        block = os.urandom(_CHUNK)
        for at in range(0, size, _CHUNK):
            file.write(block[: size - at])


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m perf.download", description=__doc__)
    parser.add_argument("--bytes", type=int, default=10**9)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--client", choices=("ours", "plain"), help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.serve is not None:
        asyncio.run(serve(given.serve))
        return 0
    if given.client is not None:
        work = ours if given.client == "ours" else plain
        began = perf_counter()
        work(given.port, given.bytes, given.folder)
        print(perf_counter() - began)
        return 0
    figures = compare(given.bytes, given.rounds, given.folder)
    publish("download", figures)
    return int(any(figure.missed for figure in figures))


def compare(size: int, rounds: int, folder: Path) -> list[Figure]:
    """Both downloads in turns; the first figure is the ratio."""
    rates: dict[str, list[float]] = {"plain": [], "ours": []}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "model.bin"
        make(path, size)
        with origin(path) as port:
            measured("plain", port, size, folder)
            for _ in range(rounds):
                for kind, found in rates.items():
                    found.append(measured(kind, port, size, folder))
    ratios = [mine / other for mine, other in zip(rates["ours"], rates["plain"], strict=True)]
    ratio = statistics.median(ratios)
    spread = f"median of {rounds} rounds, {min(ratios):.2f} to {max(ratios):.2f}"
    return [
        Figure("agent_vs_plain_download", ratio, "x", 0.8, f"({spread})", at_least=True),
        Figure("agent_download_mb_s", statistics.median(rates["ours"]), "MB/s"),
        Figure("plain_download_mb_s", statistics.median(rates["plain"]), "MB/s"),
    ]


if __name__ == "__main__":
    sys.exit(main())
