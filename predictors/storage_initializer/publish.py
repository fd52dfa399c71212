"""A model in a folder: either all of it or nothing of it.

The folder is usually a mount, which cannot be renamed. So files are gathered in a hidden folder in
it, on the same file system, and its entries are renamed into place when all of them are there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from predictors.serving.errors import StorageError
from predictors.storage import Progress, fetched

__all__ = ["Published", "publish"]

_PREFIX: Final = ".rouse-fetching-"


@dataclass(frozen=True, slots=True)
class Published:
    """How much was brought."""

    files: int
    bytes: int


def publish(
    source: str, folder: Path, env: Mapping[str, str], progress: Progress | None = None
) -> Published:
    """Fetch ``source`` into ``folder``, which is made when it is not there.

    ``progress`` is told bytes done and bytes in all (0: unknown) now and then.

    Entries of an earlier run are replaced, so that a container that was killed can start again.
    Raises `StorageError`; the folder has nothing new then.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        with TemporaryDirectory(prefix=_PREFIX, dir=folder) as scratch:
            gathered = Path(scratch)
            _gather(source, gathered, env, progress)
            found = _measured(gathered)
            for entry in sorted(gathered.iterdir()):
                _replace(entry, folder / entry.name)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error}.") from error
    return found


def _gather(source: str, gathered: Path, env: Mapping[str, str], progress: Progress | None) -> None:
    with fetched(source, env=env, scratch=gathered, progress=progress) as path:
        if path.is_relative_to(gathered):
            _lift(path, gathered)
        elif path.is_file():
            shutil.copyfile(path, gathered / path.name)
        else:
            shutil.copytree(path, gathered, copy_function=shutil.copyfile, dirs_exist_ok=True)


def _lift(path: Path, gathered: Path) -> None:
    """What was downloaded into a folder of ``gathered`` comes up into it."""
    for entry in list(path.iterdir()):
        entry.rename(gathered / entry.name)


def _measured(gathered: Path) -> Published:
    sizes = [file.stat().st_size for file in _files(gathered)]
    if not sizes:
        raise StorageError("There is no file at this location. Check storageUri.")
    return Published(len(sizes), sum(sizes))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _replace(entry: Path, target: Path) -> None:
    """Rename; a folder that is there already takes the new one's entries, so that a model below
    another one is not lost."""
    if entry.is_dir() and target.is_dir():
        for inner in sorted(entry.iterdir()):
            _replace(inner, target / inner.name)
        return
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    os.replace(entry, target)


def _remove_leftovers(folder: Path) -> None:
    for left in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
