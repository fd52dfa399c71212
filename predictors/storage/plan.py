"""From what is at a location to what to download where. Pure: no network, no disk, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from predictors.serving.errors import StorageError

__all__ = [
    "ARCHIVES",
    "Download",
    "Listing",
    "Part",
    "Plan",
    "RemoteFile",
    "Unpack",
    "archive_of",
    "make_plan",
    "revision_of",
    "safe_path",
    "select",
]

ARCHIVES: Final = {
    ".tar": "tar",
    ".tar.gz": "tar",
    ".tgz": "tar",
    ".tar.bz2": "tar",
    ".tar.xz": "tar",
    ".tar.zst": "tar",
    ".zip": "zip",
}
"""Suffixes of archives -> their format; how a tar is compressed its first bytes tell."""
_MAX_PARTS: Final = 10_000
_LARGER: Final = 4
_ENOUGH_PARTS: Final = 16


class Unpack(NamedTuple):
    """An archive: only what is below ``prefix`` is taken, and the prefix is left out.

    ``layer`` is True for layers of images, whose whiteouts remove what lower layers brought.
    """

    format: str
    prefix: str = ""
    layer: bool = False


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file at a location."""

    path: str
    """Where it shall be, below the model's folder; parts are separated by "/"."""
    key: str
    """What its source knows it by: a URL, an object's key, a blob's digest."""
    size: int | None = None
    """Bytes; None where the origin does not say."""
    etag: str = ""
    checksum: str = ""
    """``sha256:<hex>``, ``md5:<hex>`` or ``git:<hex>`` (a blob's name in git); empty: unknown."""
    ranged: bool = True
    """Whether pieces of it can be asked for."""
    unpack: Unpack | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a location holds. Equal revisions mean equal bytes; empty: the origin cannot say."""

    files: tuple[RemoteFile, ...]
    revision: str


class Part(NamedTuple):
    """The bytes from ``start`` to before ``end``; None is the end of the file."""

    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Download:
    """One file, where it is gathered, and the pieces it is asked for in."""

    file: RemoteFile
    target: PurePosixPath
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to do for one model. Equal fingerprints mean that a journal fits."""

    downloads: tuple[Download, ...]
    revision: str
    fingerprint: str

    @property
    def total_bytes(self) -> int:
        """What is known to be downloaded."""
        return sum(each.file.size or 0 for each in self.downloads)


def make_plan(listing: Listing, part_bytes: int) -> Plan:
    """Return the plan: plain files go to ``files/``, archives to ``archives/`` first.

    Raises `StorageError` for an empty location, a name that leaves the folder, and a name twice.
    """
    if not listing.files:
        raise StorageError("there is no file at this location. Check storageUri.")
    downloads = []
    taken: set[PurePosixPath] = set()
    for number, file in enumerate(listing.files):
        inside = safe_path(file.path)
        target = PurePosixPath(f"archives/{number}") if file.unpack else "files" / inside
        if target in taken:
            raise StorageError(f"the location holds {file.path} twice.")
        taken.add(target)
        downloads.append(Download(file, target, _parts(file, part_bytes)))
    clash = next((folder for each in taken for folder in each.parents if folder in taken), None)
    if clash is not None:
        raise StorageError(f"the location has both a file and a folder named {clash.name}.")
    return Plan(tuple(downloads), listing.revision, _fingerprint(listing, part_bytes))


def select(objects: Iterable[RemoteFile], path: str) -> tuple[RemoteFile, ...]:
    """Return the objects that ``path`` means, as KServe does: one object, or those below a folder.

    An object's target is its key below the folder; a single archive is unpacked.
    """
    path = path.strip("/")
    folder = f"{path}/" if path else ""
    found = []
    for each in objects:
        if each.key.endswith("/"):
            continue
        if each.key == path:
            found.append(_placed(each, each.key.rpartition("/")[2]))
        elif each.key.startswith(folder):
            found.append(_placed(each, each.key.removeprefix(folder)))
    exact = [each for each in found if each.key == path]
    found = exact or sorted(found, key=lambda each: each.key)
    if len(found) == 1:
        only = found[0]
        return (_placed(only, only.path, archive_of(only.path)),)
    return tuple(found)


def archive_of(name: str) -> Unpack | None:
    """How a file of this name is unpacked; None when it is no archive."""
    lowered = name.lower()
    for suffix, kind in ARCHIVES.items():
        if lowered.endswith(suffix):
            return Unpack(kind)
    return None


def safe_path(name: str) -> PurePosixPath:
    """``name`` as a relative path that stays in its folder; raises `StorageError` if it cannot."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise StorageError(f"a file wants to be outside its folder: {name!r:.200}.")
    return path


def revision_of(files: Sequence[RemoteFile]) -> str:
    """A revision made of names, sizes and tags; empty when a file has neither tag nor checksum."""
    if not all(each.etag or each.checksum for each in files):
        return ""
    return _digest(f"{e.path}\0{e.size}\0{e.etag}\0{e.checksum}" for e in files)


def _placed(file: RemoteFile, path: str, unpack: Unpack | None = None) -> RemoteFile:
    return RemoteFile(path, file.key, file.size, file.etag, file.checksum, file.ranged, unpack)


def _parts(file: RemoteFile, part_bytes: int) -> tuple[Part, ...]:
    if not file.ranged or file.size is None:
        return (Part(0, file.size),)
    # Every part costs a connection, so a large file has larger ones, of which enough are left.
    larger = min(_LARGER * part_bytes, -(-file.size // _ENOUGH_PARTS))
    size = max(part_bytes, larger, -(-file.size // _MAX_PARTS))
    starts = range(0, file.size, size)
    return tuple(Part(start, min(start + size, file.size)) for start in starts)


def _fingerprint(listing: Listing, part_bytes: int) -> str:
    said = (f"{e.path}\0{e.key}\0{e.size}\0{e.etag}\0{e.checksum}" for e in listing.files)
    return _digest((listing.revision, str(part_bytes), *said))


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
