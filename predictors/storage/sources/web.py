"""One file or archive over HTTP."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from predictors.serving.errors import StorageError
from predictors.storage.errors import ChangedError, TransientError
from predictors.storage.http import Answer, Client, StatusError, chunks
from predictors.storage.plan import Listing, RemoteFile, archive_of, revision_of
from predictors.storage.settings import TransferSettings
from predictors.storage.uris import json_object, redacted

__all__ = ["WebSource", "read_range", "without_user"]

_CONTENT_RANGE: Final = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")
_SHA256: Final = re.compile(r"sha256=([0-9a-fA-F]{64})")


class WebSource:
    """``http(s)://HOST/FILE``, with the headers that a Secret gives for the host.

    ``#sha256=<hex>`` or a parameter ``sha256=<hex>`` says what the file has to be; neither is sent.
    """

    def __init__(self, uri: str, env: Mapping[str, str], settings: TransferSettings) -> None:
        try:
            self._url, self._sha256 = _expected(uri)
            self._url, basic = without_user(self._url)
            parts = urlsplit(self._url)
            host = parts.hostname or ""
        except ValueError as error:
            raise StorageError(f"{redacted(uri)}: is no URL: {error}.") from None
        self._name = PurePosixPath(unquote(parts.path)).name
        if not self._name:
            raise StorageError(f"{redacted(uri)}: the URL names no file.")
        given = json_object(env, f"{host}-headers")
        self._secret = {**basic, **{name: str(value) for name, value in given.items()}}
        self._client = Client(settings.stall_seconds, ca_file=env.get("SSL_CERT_FILE", ""))
        self._part_bytes = settings.part_bytes
        self._first: Answer | None = None
        self._known: Listing | None = None
        self._lock = threading.Lock()
        self.pinned = bool(self._sha256)

    def revision(self) -> str:
        """The file's checksum, else its tag or date. One request, which `listing` goes on with."""
        if self._sha256:
            return f"sha256:{self._sha256}"
        self._known = self.listing()
        return self._known.revision

    def listing(self) -> Listing:
        """The one file. Its first part is asked for at once: a small model takes one request."""
        known, self._known = self._known, None
        if known is not None:
            return known
        self.__exit__()
        wanted = {"range": f"bytes=0-{self._part_bytes - 1}"}
        try:
            answer = self._client.open(self._url, headers=wanted, secret=self._secret)
        except StatusError as error:
            if error.status != 416:
                raise
            return self._described("*", 0, error.headers.get("etag", ""), ranged=False)
        etag = answer.headers.get("etag", "") or answer.headers.get("last-modified", "")
        self._first = answer
        if answer.status == 206:
            _, total = _content_range(answer)
            return self._described("", total, etag, ranged=True)
        length = answer.headers.get("content-length", "")
        size = int(length) if length.isdigit() else None
        return self._described("", size, etag, ranged=False)

    def read(self, file: RemoteFile, start: int, end: int | None) -> Iterator[memoryview]:
        """The bytes; the answer that `listing` left open serves the first part."""
        with self._lock:
            first, self._first = (self._first, None) if start == 0 else (None, self._first)
        length = None if end is None else end - start
        if first is not None and first.status == 206 and end is not None:
            return self._continued(first, file, end)
        if first is not None:
            return chunks(self._client, first, length)
        if file.size == 0:
            return iter(())
        return read_range(self._client, self._url, file, start, end, secret=self._secret)

    def _continued(self, first: Answer, file: RemoteFile, end: int) -> Iterator[memoryview]:
        """What `listing` asked for, then the rest of a part that is larger."""
        asked = min(end, self._part_bytes)
        reached = 0
        for piece in chunks(self._client, first, asked):
            yield piece
            reached += len(piece)
        # An answer that was cut off is the caller's to notice: nothing may follow the gap.
        if reached == asked < end:
            yield from read_range(self._client, self._url, file, asked, end, secret=self._secret)

    def __enter__(self) -> WebSource:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            first, self._first = self._first, None
        if first is not None:
            first.close()

    def _described(self, key: str, size: int | None, etag: str, *, ranged: bool) -> Listing:
        checksum = f"sha256:{self._sha256}" if self._sha256 else ""
        file = RemoteFile(
            self._name, key, size, etag, checksum, ranged, unpack=archive_of(self._name)
        )
        return Listing((file,), checksum or revision_of((file,)))


def read_range(
    client: Client,
    url: str,
    file: RemoteFile,
    start: int,
    end: int | None,
    *,
    secret: Mapping[str, str] | None = None,
    follows: bool = False,
) -> Iterator[memoryview]:
    """A range of a file; raises `ChangedError` when the origin has another file by now."""
    wanted = {}
    if file.ranged and end is not None:
        wanted["range"] = f"bytes={start}-{end - 1}"
    try:
        answer = client.open(url, headers=wanted, secret=secret, follows=follows)
    except StatusError as error:
        if error.status == 416:
            raise ChangedError(f"{file.path} became shorter during its download.") from None
        raise
    etag = answer.headers.get("etag", "") or answer.headers.get("last-modified", "")
    begins, total = (start, file.size)
    if answer.status == 206:
        begins, total = _content_range(answer)
    elif start:
        begins = 0
    if begins != start or total != file.size or (file.etag and etag != file.etag):
        answer.close()
        raise ChangedError(f"{file.path} changed during its download.")
    return chunks(client, answer, None if end is None else end - start)


def without_user(url: str) -> tuple[str, dict[str, str]]:
    """The URL without user and password, and the header that says them instead."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    said = base64.b64encode(unquote(user).encode()).decode()
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))
    return bare, {"authorization": f"Basic {said}"}


def _content_range(answer: Answer) -> tuple[int, int]:
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    if found is None:
        answer.close()
        raise TransientError("the answer to a request for a range has no valid Content-Range")
    return int(found[1] or 0), int(found[2])


def _expected(uri: str) -> tuple[str, str]:
    """The URL to ask for, and the SHA-256 that the location itself says."""
    parts = urlsplit(uri)
    said = ""
    found = _SHA256.fullmatch(parts.fragment)
    if found is not None:
        said = found[1]
    kept = []
    for each in parts.query.split("&") if parts.query else ():
        found = _SHA256.fullmatch(each)
        said = found[1] if found is not None else said
        if found is None:
            kept.append(each)
    url = urlunsplit((parts.scheme, parts.netloc, parts.path, "&".join(kept), ""))
    return url, said.lower()
