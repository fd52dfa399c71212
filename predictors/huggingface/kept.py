"""Tokenizers that a warm parent has read for its children, in pages that all of them share.

One of 30,000 words takes 8 MB, and 40 ms to read. A parent reads those of models that it has given
a process to before: replicas of one model are many, and a model that slept is woken again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tokenizers import Tokenizer

__all__ = ["expect", "keep", "take"]

_log = logging.getLogger(__name__)

_MOST_BYTES: Final = 2 << 20
"""Of all files together: in memory they are some 17 times as large. A larger file is not kept,
since the parent serves nobody while it reads."""
_FLAG: Final = "--model_dir="


class _File(NamedTuple):
    """A file as it is now: one that was replaced is another."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> _File:
        found = os.stat(path)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


_kept: Final[dict[_File, Tokenizer]] = {}


def expect(args: Sequence[str], env: Mapping[str, str]) -> None:
    """Keep the tokenizer of a process started so, if its model is a folder of this machine."""
    given = [arg.removeprefix(_FLAG) for arg in args if arg.startswith(_FLAG)]
    source = env.get("STORAGE_URI") or next(reversed(given), "")
    folder = Path(source.removeprefix("file://"))
    if folder.is_absolute():
        keep(folder / "tokenizer.json")


def keep(path: Path) -> None:
    """Read a tokenizer for the processes to come; the oldest go where they are too many.

    A file that is missing, broken or large is left to whoever serves it.
    """
    try:
        file = _File.of(path)
        if file.size > _MOST_BYTES:
            return
        found = _kept.pop(file, None) or Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exceptions
        _log.debug("%s is not kept: %s", path, error)
        return
    _kept[file] = found
    while sum(each.size for each in _kept) > _MOST_BYTES:
        del _kept[next(iter(_kept))]


def take(path: Path) -> Tokenizer | None:
    """The tokenizer of `path` as it is now, if it was kept; once, since its user changes it."""
    return _kept.pop(_File.of(path), None) if _kept else None
