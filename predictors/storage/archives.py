"""Archives, unpacked without trust: nothing outside the folder, no links, no devices, no bombs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, cast

from predictors.serving.errors import StorageError
from predictors.storage.errors import TooLargeError
from predictors.storage.plan import Unpack, safe_path

__all__ = ["default_limit", "unpack"]

_CHUNK: Final = 1024 * 1024
_MAX_ENTRIES: Final = 1_000_000
_MAX_READ: Final = 16 * 1024 * 1024
_LEAST_LIMIT: Final = 1024**3
_RATIO: Final = 200
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_BROKEN: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    NotImplementedError,
    UnicodeError,
    ValueError,
    RuntimeError,
)
"""What the standard library raises on archives that are broken, encrypted or too new for it."""


def unpack(archive: Path, folder: Path, how: Unpack, *, name: str, limit: int = 0) -> int:
    """Unpack the regular files below ``how.prefix`` into ``folder``; how many there were.

    Links, devices and pipes are left out. Raises `StorageError` for an archive that is broken,
    that wants to write outside the folder, or that unpacks to more than ``limit`` bytes (0: 200
    times its size, and 1 GiB at least). ``name`` is what the message calls it.
    """
    limit = limit or default_limit(archive)
    folder.mkdir(parents=True, exist_ok=True)
    writer = _Writer(folder, how, min(limit, shutil.disk_usage(folder).free), name)
    try:
        with ExitStack() as stack:
            entries = _zip if how.format == "zip" else _tar
            for inside, source in entries(archive, stack):
                writer.write(inside, source)
    except _BROKEN as error:
        raise StorageError(f"{name} is not a valid archive: {error}.") from error
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise StorageError(
            f"{name} has both a file and a folder of one name: {error.filename}."
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise
        # How bz2 and gzip tell damage; what a disk refuses has a number.
        raise StorageError(f"{name} is not a valid archive: {error}.") from error
    return writer.files


def default_limit(archive: Path) -> int:
    """The most that an archive may unpack to where nobody said it, in bytes."""
    return max(_LEAST_LIMIT, _RATIO * archive.stat().st_size)


def _zip(archive: Path, stack: ExitStack) -> Iterator[tuple[str, IO[bytes]]]:
    opened = stack.enter_context(zipfile.ZipFile(archive))
    for entry in opened.infolist():
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if entry.is_dir() or kind not in (0, stat.S_IFREG):
            continue
        with opened.open(entry) as source:
            yield entry.filename, source


def _tar(archive: Path, stack: ExitStack) -> Iterator[tuple[str, IO[bytes]]]:
    plain = stack.enter_context(_decompressed(archive))
    guarded = cast("IO[bytes]", _Guard(plain))
    opened = stack.enter_context(tarfile.TarFile(fileobj=guarded))
    for count, member in enumerate(opened):
        if count > _MAX_ENTRIES:
            raise StorageError(f"{archive.name} has more than {_MAX_ENTRIES} entries.")
        # What was seen is kept by tarfile for look-ups that nobody does here.
        opened.members = []  # type: ignore[attr-defined]
        source = opened.extractfile(member) if member.isreg() else None
        if source is not None:
            yield member.name, source


def _decompressed(archive: Path) -> IO[bytes]:
    with archive.open("rb") as file:
        head = file.read(6)
    if head.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.open(archive))
    if head.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.open(archive))
    if head.startswith(b"\xfd7zXZ\0"):
        return cast("IO[bytes]", lzma.open(archive))
    if head.startswith(_ZSTD):
        return _zstandard(archive)
    return archive.open("rb")


def _zstandard(archive: Path) -> IO[bytes]:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise StorageError(
            "an archive compressed by zstd needs Python 3.14 or later; compress it by gzip or xz."
        ) from None
    return cast("IO[bytes]", zstd.open(archive))


class _Guard:
    """A stream that refuses single reads of a size that only a forged header asks for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError("a header claims an absurd size")
        return self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Writer:
    def __init__(self, folder: Path, how: Unpack, limit: int, name: str) -> None:
        self._folder = folder
        self._how = how
        self._prefix = PurePosixPath(how.prefix)
        self._limit = limit
        self._left = limit
        self._name = name
        self.files = 0

    def write(self, name: str, source: IO[bytes]) -> None:
        inside = self._inside(name)
        if inside is None:
            return
        if self._how.layer and inside.name.startswith(_WHITEOUT):
            self._white_out(inside)
            return
        target = self._folder / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        # Never through what is there: no link was made here, but a name may come twice.
        target.unlink(missing_ok=True)
        with target.open("xb") as file:
            while chunk := source.read(_CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise TooLargeError(
                        f"{self._name} unpacks to more than {self._limit} bytes. If that is meant, "
                        "free disk space and set ROUSE_STORAGE_UNPACKED_BYTES."
                    )
                file.write(chunk)
        self.files += 1

    def _inside(self, name: str) -> PurePosixPath | None:
        try:
            path = safe_path(name)
        except StorageError as error:
            raise StorageError(
                f"The archive wants to write outside its folder: {name!r:.200}."
            ) from error
        if not path.is_relative_to(self._prefix):
            return None
        inside = path.relative_to(self._prefix)
        return inside if inside.parts else None

    def _white_out(self, inside: PurePosixPath) -> None:
        gone = self._folder / inside.parent
        if inside.name != _OPAQUE:
            rest = inside.name.removeprefix(_WHITEOUT)
            if rest in ("", ".", ".."):
                return
            gone = gone / rest
        if gone.is_dir():
            shutil.rmtree(gone)
        elif os.path.lexists(gone):
            gone.unlink()
