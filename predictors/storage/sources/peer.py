"""One entry of another node's cache: a folder (NFS, a mount) or that node's agent over HTTP.

An agent serves ``/models/<digest>/description`` and ``/models/<digest>/files/<path>``. Every file
comes with its SHA-256, which the transfer holds it to; an entry without them is no source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson

from predictors.serving.errors import StorageError
from predictors.storage.entries import FILES
from predictors.storage.http import Client
from predictors.storage.plan import Listing, RemoteFile, safe_path
from predictors.storage.seal import describe
from predictors.storage.settings import TransferSettings
from predictors.storage.sources.web import read_range

__all__ = ["PEER_TOKEN", "PeerSource"]

PEER_TOKEN: Final = "ROUSE_PEER_TOKEN"  # noqa: S105 - the variable's name
"""The variable with the word that the agents of a cluster share."""
_CHUNK: Final = 1024 * 1024


class PeerSource:
    """The entry ``digest`` of the cache at ``base``, a folder or an http(s) URL."""

    pinned = True

    def __init__(
        self, base: str, digest: str, env: Mapping[str, str], settings: TransferSettings
    ) -> None:
        self._digest = digest
        token = env.get(PEER_TOKEN, "")
        self._secret = {"authorization": f"Bearer {token}"} if token else {}
        self._folder = None if "://" in base else Path(base) / "models" / digest
        self._url = f"{base.rstrip('/')}/models/{digest}"
        self._client = Client(settings.stall_seconds, ca_file=env.get("SSL_CERT_FILE", ""))

    def revision(self) -> str:
        """The revision that the peer's entry is of."""
        return self.listing().revision

    def listing(self) -> Listing:
        """The entry's files; raises `StorageError` where the peer has no such entry."""
        if self._folder is not None:
            said = describe(self._folder)
        else:
            body, _ = self._client.document(f"{self._url}/description", secret=self._secret)
            said = _decoded(body)
        if said is None:
            raise StorageError("the peer has no such model, or not its checksums yet.")
        files = tuple(
            RemoteFile(name, name, size, checksum=f"sha256:{sha256}")
            for name, (size, sha256) in sorted(said["files"].items())
        )
        return Listing(files, str(said["revision"]))

    def read(self, file: RemoteFile, start: int, end: int | None) -> Iterator[memoryview]:
        """The bytes from ``start`` to before ``end``."""
        if self._folder is not None:
            return _of_file(self._folder / FILES / safe_path(file.key), start, end)
        if file.size == 0:
            return iter(())
        url = f"{self._url}/files/{quote(file.key)}"
        return read_range(self._client, url, file, start, end, secret=self._secret)

    def __enter__(self) -> PeerSource:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def _decoded(body: bytes) -> dict[str, Any] | None:
    try:
        said = orjson.loads(body)
        files = {str(name): (int(size), str(sha)) for name, (size, sha) in said["files"].items()}
        return {"revision": str(said["revision"]), "files": files}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _of_file(path: Path, start: int, end: int | None) -> Iterator[memoryview]:
    with path.open("rb") as file:
        file.seek(start)
        left = path.stat().st_size - start if end is None else end - start
        while left > 0 and (piece := file.read(min(_CHUNK, left))):
            left -= len(piece)
            yield memoryview(piece)
