"""The checksums of a published entry: to verify it, to serve it to peers, to store bytes once.

``digests`` beside an entry's files names the SHA-256 of each. Files of equal bytes are one file
with several names: ``blobs/<sha256>`` is linked to each. The last name but that one removed, the
blob goes too.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from predictors.storage.entries import DIGESTS, FILES, read_entry

__all__ = ["content_of", "damaged", "describe", "drop_unused", "is_sealed", "seal"]


def is_sealed(folder: Path) -> bool:
    """Whether the entry in ``folder`` has its checksums."""
    return (folder / DIGESTS).exists()


def content_of(folder: Path) -> str:
    """A word for the bytes of an entry, the same for equal ones; empty before it is sealed."""
    try:
        sums = _digests(folder)
    except (OSError, ValueError):
        return ""
    said = "\n".join(sorted(sums.values()))
    return hashlib.sha256(said.encode()).hexdigest()


def seal(root: Path, digest: str) -> int:
    """Note the checksums of an entry's files and store equal bytes once; the bytes that saved.

    Raises OSError. Done before, it does nothing. Whoever has a file open or mapped keeps it.
    """
    folder = root / "models" / digest
    entry = read_entry(folder)
    if entry is None or is_sealed(folder):
        return 0
    found: dict[str, str] = {}
    saved = 0
    blobs = root / "blobs"
    blobs.mkdir(exist_ok=True)
    for inner, _, names in os.walk(entry.folder):
        for name in names:
            path = Path(inner, name)
            sha256 = _sha256(path)
            found[str(path.relative_to(entry.folder))] = sha256
            saved += _link(path, blobs / sha256)
    made = folder / f"{DIGESTS}.new"
    made.write_bytes(orjson.dumps(found))
    made.replace(folder / DIGESTS)
    return saved


def describe(folder: Path) -> dict[str, Any] | None:
    """``{revision, files: {path: (bytes, sha256)}}`` of an entry; None before it is sealed."""
    try:
        sums = _digests(folder)
        said = orjson.loads((folder / "manifest.json").read_bytes())
        files = {name: (int(size), sums[name]) for name, size in said["files"].items()}
        return {"revision": str(said["revision"]), "files": files}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def damaged(folder: Path) -> list[str]:
    """The files of a sealed entry that are no longer what was fetched; reads all of them."""
    sums = _digests(folder)
    return sorted(name for name, sha256 in sums.items() if not _is(folder / FILES / name, sha256))


def drop_unused(root: Path) -> int:
    """Remove the blobs that no entry names any more; how many bytes they had."""
    freed = 0
    blobs = root / "blobs"
    for path in blobs.iterdir() if blobs.is_dir() else ():
        try:
            known = path.stat()
            if known.st_nlink == 1:
                path.unlink()
                freed += known.st_size
        except FileNotFoundError:
            continue
    return freed


def _digests(folder: Path) -> Mapping[str, str]:
    found = orjson.loads((folder / DIGESTS).read_bytes())
    return {str(name): str(value) for name, value in found.items()}


def _is(path: Path, sha256: str) -> bool:
    try:
        return _sha256(path) == sha256
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _link(path: Path, blob: Path) -> int:
    """Let ``path`` be the blob of its bytes; the bytes that this saved."""
    made = path.with_name(f".{uuid.uuid4().hex}")
    try:
        os.link(path, blob)
        return 0
    except FileExistsError:
        if blob.stat().st_ino == path.stat().st_ino or blob.stat().st_size != path.stat().st_size:
            return 0
    try:
        os.link(blob, made)
        made.replace(path)
    except OSError:
        # It went meanwhile, or has all the names its file system allows: the copy stays.
        made.unlink(missing_ok=True)
        return 0
    return path.stat().st_size
