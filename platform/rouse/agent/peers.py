"""A node's cache for other nodes: read-only over HTTP, for who knows the cluster's word.

``GET /models/<digest>/description`` and ``GET /models/<digest>/files/<path>``, the latter with
ranges, sent by the kernel. A digest is all that is asked for: nobody can list what is there. Who
fetches holds every file to its SHA-256.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import orjson

from rouse.daemon.connections import ConnectionServer

__all__ = ["PeerServer", "described", "resolve_peers"]


_HEAD_BYTES: Final = 8192
_HEAD_S: Final = 5.0
_SEND_S: Final = 600.0
_CONNECTIONS: Final = 32
_PATH: Final = re.compile(r"/models/([0-9a-f]{64})/(description|files/(.+))")
_RANGE: Final = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})")
_PEERS: Final = 8


@dataclass(frozen=True, slots=True)
class _Sent:
    """An answer: text, or the bytes from ``start`` to before ``end`` of a file."""

    status: HTTPStatus
    body: bytes = b""
    file: Path | None = None
    start: int = 0
    end: int = 0
    size: int = 0


class PeerServer(ConnectionServer):
    """Serves the entries of the cache in ``folder``; port 0 takes a free one."""

    def __init__(self, folder: Path, token: str, *, host: str = "", port: int = 0) -> None:
        self._folder = folder
        self._token = token
        super().__init__(
            host=host,
            port=port,
            purpose="other nodes",
            connections=_CONNECTIONS,
            head_bytes=_HEAD_BYTES,
        )

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request with what the cache holds."""
        async with asyncio.timeout(_HEAD_S):
            head = await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(_SEND_S):
            await self._send(await asyncio.to_thread(self._answer, head), writer)

    def _answer(self, head: bytes) -> _Sent:
        line, headers = _parsed(head)
        method, _, rest = line.partition(" ")
        if method != "GET":
            return _Sent(HTTPStatus.METHOD_NOT_ALLOWED)
        given = headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            return _Sent(HTTPStatus.UNAUTHORIZED)
        found = _PATH.fullmatch(unquote(rest.partition(" ")[0]))
        if found is None:
            return _Sent(HTTPStatus.NOT_FOUND)
        said = described(self._folder / "models" / found[1])
        if said is None:
            return _Sent(HTTPStatus.NOT_FOUND)
        if found[2] == "description":
            return _Sent(HTTPStatus.OK, orjson.dumps(said))
        # Only what the description names: no path leads elsewhere.
        if found[3] not in said["files"]:
            return _Sent(HTTPStatus.NOT_FOUND)
        path = self._folder / "models" / found[1] / "files" / found[3]
        return _ranged(path, headers.get("range", ""))

    async def _send(self, sent: _Sent, writer: asyncio.StreamWriter) -> None:
        length = len(sent.body) if sent.file is None else sent.end - sent.start
        lines = [
            f"HTTP/1.1 {sent.status.value} {sent.status.phrase}",
            f"Content-Length: {length}",
            "Connection: close",
        ]
        if sent.status is HTTPStatus.PARTIAL_CONTENT:
            lines.append(f"Content-Range: bytes {sent.start}-{sent.end - 1}/{sent.size}")
        writer.write("\r\n".join([*lines, "", ""]).encode() + sent.body)
        await writer.drain()
        if sent.file is not None and length:
            with sent.file.open("rb") as file:
                loop = asyncio.get_running_loop()
                await loop.sendfile(writer.transport, file, sent.start, length)


def described(folder: Path) -> Mapping[str, Any] | None:
    """``{revision, files: {path: [bytes, sha256]}}`` of an entry; None before it is sealed."""
    try:
        sums = orjson.loads((folder / "digests").read_bytes())
        said = orjson.loads((folder / "manifest.json").read_bytes())
        files = {name: (int(size), str(sums[name])) for name, size in said["files"].items()}
        return {"revision": str(said["revision"]), "files": files}
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def resolve_peers(
    sources: Sequence[str], *, own: Callable[[], set[str]] = lambda: set()
) -> list[str]:
    """The caches to ask, in order: folders, and for each URL every address of its name but ours.

    A name that is not known is left out: the origin is there for all.
    """
    found: list[str] = []
    loop = asyncio.get_running_loop()
    for source in sources:
        if "://" not in source:
            found.append(source)
            continue
        parts = urlsplit(source)
        try:
            async with asyncio.timeout(_HEAD_S):
                listed = await loop.getaddrinfo(
                    parts.hostname, parts.port or 80, type=socket.SOCK_STREAM
                )
        except (OSError, TimeoutError):
            continue
        mine = own()
        hosts = [str(address[4][0]) for address in listed]
        for host in [each for each in dict.fromkeys(hosts) if each not in mine][:_PEERS]:
            shown = f"[{host}]" if ":" in host else host
            found.append(f"{parts.scheme}://{shown}:{parts.port or 80}")
    return found


def _parsed(head: bytes) -> tuple[str, dict[str, str]]:
    line, *rest = head.decode("latin-1").split("\r\n")
    pairs = (each.partition(":") for each in rest if ":" in each)
    return line, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _ranged(path: Path, wanted: str) -> _Sent:
    try:
        size = path.stat().st_size
    except OSError:
        return _Sent(HTTPStatus.NOT_FOUND)
    if not wanted:
        return _Sent(HTTPStatus.OK, file=path, end=size, size=size)
    found = _RANGE.fullmatch(wanted)
    start, end = (int(found[1]), min(int(found[2]) + 1, size)) if found else (0, 0)
    if not start < end:
        return _Sent(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    return _Sent(HTTPStatus.PARTIAL_CONTENT, file=path, start=start, end=end, size=size)
