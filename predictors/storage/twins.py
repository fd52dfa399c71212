"""Folders that pods may write to: in each, those of one namespace keep the twin of one model.

::

    twins/<namespace>/<model>/    may be written to by whoever has it mounted, and by nobody else

A pod has the innermost folder mounted and none above it, so that it can neither replace nor leave
it. Nothing in it is read here, or followed: it is counted, and removed.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["TWIN_FOLDERS", "keep_twin_folders"]

TWIN_FOLDERS: Final = "twins"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[0-9a-f]{8,64}")
_CLOSED: Final = 0o755
_FILES: Final = 64
_OPEN: Final = 0o777  # pods run as whatever user they like


def keep_twin_folders(root: Path, wanted: Mapping[str, int]) -> tuple[int, list[str]]:
    """Have these folders below ``twins`` of the cache at ``root``, and no others.

    ``wanted``: ``namespace/model`` -> the most bytes it may hold; one with more is emptied. Returns
    the bytes of all, and what could not be done. Raises ValueError for a name that is none, OSError
    when ``twins`` itself cannot be written.
    """
    for name in wanted:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no folder of twins")
    top = root / TWIN_FOLDERS
    top.mkdir(parents=True, exist_ok=True)
    top.chmod(0o700)  # on the node itself they are for nobody
    problems = []
    for folder in _there(top):
        name = str(folder.relative_to(top))
        if name not in wanted:
            told = _remove(folder)
            # What the kubelet made and was put aside waits for the agent's next start.
            problems += [] if name.startswith(".") else told
    total = 0
    for name, limit in wanted.items():
        folder = top / name
        try:
            _have(folder.parent, _CLOSED)
            _have(folder, _OPEN)
            size = _size(folder)
            if size is None or size > limit:
                held = "other things than twins" if size is None else f"{size} bytes"
                problems.append(f"{folder} holds {held}, of {limit} bytes at most; it is emptied")
                problems += _remove(folder)
                _have(folder, _OPEN)
                size = 0
            total += size
        except OSError as error:
            problems.append(f"{folder} is not to be had: {error}")
    return total, problems


def _there(top: Path) -> Iterator[Path]:
    """Folders of models, those of namespaces without any, and what could not be removed before."""
    for namespace in list(top.iterdir()):
        inner = [] if namespace.is_symlink() or not namespace.is_dir() else [*namespace.iterdir()]
        yield from inner or (namespace,)


def _have(folder: Path, mode: int) -> None:
    """Make a folder; one that the kubelet made for a mount, as root's, is put aside."""
    with suppress(FileNotFoundError):
        if folder.lstat().st_uid != os.geteuid():
            _remove(folder)
    folder.mkdir(exist_ok=True)
    folder.chmod(mode)  # whatever the umask


def _size(folder: Path) -> int | None:
    """Bytes on the disk; None when it holds folders, or more files than any pods would leave."""
    total = 0
    with os.scandir(folder) as found:
        for count, entry in enumerate(found):
            if count >= _FILES or entry.is_dir(follow_symlinks=False):
                return None
            with suppress(FileNotFoundError):
                total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def _remove(folder: Path) -> list[str]:
    """By a rename first: a pod that has it mounted goes on with what nobody else finds.

    Returns why not, if not.
    """
    gone = folder.with_name(f".{uuid.uuid4().hex}")
    try:
        folder.rename(gone)
        shutil.rmtree(gone)
    except OSError as error:
        return [f"{folder} cannot be removed: {error}"]
    return []
