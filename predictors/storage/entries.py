"""What one model is in a node's cache: its files and a manifest beside them.

A rename publishes an entry before the disk has it, so that a model is served while it is flushed. A
machine that goes down in between may keep the names and lose the bytes: an entry that was not
settled counts only until the next boot.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from predictors.storage.journal import boot_id
from predictors.storage.plan import Listing

__all__ = [
    "DIGESTS",
    "FILES",
    "MANIFEST",
    "SETTLED",
    "TWINS",
    "Entry",
    "read_entry",
    "settle",
    "write_manifest",
]

FILES: Final = "files"
DIGESTS: Final = "digests"
"""The SHA-256 of each file; see `predictors.storage.seal`."""
TWINS: Final = "twins"
"""Where translations of an entry are; see `predictors.twins`."""
MANIFEST: Final = "manifest.json"
SETTLED: Final = "settled"


@dataclass(frozen=True, slots=True)
class Entry:
    """A whole model in a cache. Other files may be kept beside ``folder`` in its parent."""

    digest: str
    """Name of the entry: of the location, its origin, and the revision."""
    folder: Path
    """The model's files, not to be written to."""
    uri: str
    """The location, without secrets."""
    revision: str
    bytes: int
    used_at: float
    """When it was last asked for, in seconds since the epoch."""
    settled: bool
    """Whether it survives a power failure."""
    fetched_at: float = 0.0
    """When it was published, in seconds since the epoch."""
    stale: str = ""
    """Why nobody knows whether the origin has another revision by now; empty: it was asked."""


def write_manifest(folder: Path, uri: str, listing: Listing, now: float) -> None:
    """Describe what is in ``folder``/files, so that a rename publishes it."""
    files: dict[str, int] = {}
    for path in _files(folder / FILES):
        files[str(path.relative_to(folder / FILES))] = path.stat().st_size
    checksums = {each.path: each.checksum for each in listing.files if each.checksum}
    said = {
        "uri": uri,
        "revision": listing.revision,
        "boot": boot_id(),
        "fetched_at": now,
        "bytes": sum(files.values()),
        "files": files,
        "checksums": checksums,
    }
    (folder / MANIFEST).write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2))


def settle(folder: Path) -> None:
    """Flush a published entry to the disk, and note that; raises OSError."""
    for inner, _, names in os.walk(folder):
        for name in names:
            _sync(Path(inner, name))
        _sync(Path(inner))
    _sync(folder.parent)
    (folder / SETTLED).touch()
    _sync(folder)


def read_entry(folder: Path) -> Entry | None:
    """The entry in a folder; None when there is none, or a file of it is not what it was."""
    manifest = folder / MANIFEST
    try:
        said = orjson.loads(manifest.read_bytes())
        settled = (folder / SETTLED).exists()
        if not settled and said["boot"] != boot_id():
            return None
        if not _complete(folder / FILES, said["files"]):
            return None
        return Entry(
            folder.name,
            folder / FILES,
            str(said["uri"]),
            str(said["revision"]),
            int(said["bytes"]),
            manifest.stat().st_mtime,
            settled,
            float(said.get("fetched_at", 0.0)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _complete(folder: Path, files: Mapping[str, Any]) -> bool:
    return all(os.stat(folder / name).st_size == size for name, size in files.items())


def _files(folder: Path) -> Iterator[Path]:
    for inner, _, names in os.walk(folder):
        for name in names:
            yield Path(inner, name)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
