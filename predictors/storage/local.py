"""Models that are on this machine already: used where they are, never copied."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from predictors.serving.errors import StorageError

__all__ = ["find_one", "local_path"]


def local_path(uri: str) -> Path:
    """The existing, readable path that a plain path or a file:// location names."""
    # A plain path may hold any character, so only a location with a scheme is taken apart.
    parts = urlsplit(uri) if uri.startswith("file:") else None
    if parts is not None and parts.netloc not in ("", "localhost"):
        raise StorageError(
            f"{uri}: file:// takes an absolute path, such as file:///{parts.netloc}{parts.path}."
        )
    path = Path(uri if parts is None else unquote(parts.path))
    if not path.exists():
        raise StorageError(f"{uri} does not exist. Check storageUri.")
    if not os.access(path, os.R_OK):
        raise StorageError(f"{uri} is not readable by user {os.getuid()}.")
    return path


def find_one(path: Path, names: tuple[str, ...]) -> Path:
    """The one model file in ``path``: exactly one of ``names``, or ``path`` itself if a file."""
    if path.is_file():
        return path
    found = [path / name for name in names if (path / name).is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(file.name for file in found)
        raise StorageError(f"{path} holds several models ({listed}); exactly one is expected.")
    inside = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())[:8]
    raise StorageError(
        f"{path} holds none of {', '.join(names)}. It holds: {', '.join(inside) or 'nothing'}."
    )
