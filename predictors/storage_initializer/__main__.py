"""``python -m predictors.storage_initializer SRC DEST [SRC DEST ...]``.

Exit codes: 0 every model is in its folder, 1 one could not be had, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from predictors.serving import logs
from predictors.serving.errors import StorageError
from predictors.storage import redacted
from predictors.storage_initializer.publish import publish

__all__ = ["main"]

_log = logging.getLogger(__name__)
_TOLD_EVERY: Final = 5.0


def main(argv: Sequence[str]) -> int:
    """Fetch every source into its folder, in the order given; the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    words: list[str] = arguments.locations
    if len(words) % 2:
        parser.error(f"every SRC needs a DEST; {words[-1]} has none")
    logs.configure(arguments.log_level)
    for source, folder in zip(words[::2], words[1::2], strict=True):
        try:
            _bring(source, Path(folder))
        except StorageError as error:
            _log.error("The model cannot be fetched: %s", error)
            return 1
    return 0


def _bring(source: str, folder: Path) -> None:
    started = perf_counter()
    published = publish(source, folder, os.environ, _Told(redacted(source), _log))
    _log.info(
        "%s is in %s: %d files, %d bytes, %.3f s",
        redacted(source),
        folder,
        published.files,
        published.bytes,
        perf_counter() - started,
    )


class _Told:
    """Log lines of a download on its way, so that who waits for it sees that it moves."""

    def __init__(self, name: str, log: logging.Logger) -> None:
        self._name = name
        self._log = log
        self._next = perf_counter() + _TOLD_EVERY

    def __call__(self, done: int, total: int) -> None:
        """Tell, unless that was done a moment ago."""
        now = perf_counter()
        if now < self._next:
            return
        self._next = now + _TOLD_EVERY
        of = f" of {total} ({100 * done // total} %)" if total else ""
        self._log.info("%s: %d bytes%s", self._name, done, of)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m predictors.storage_initializer",
        description="Fetch models into folders, whole or not at all.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "locations",
        nargs="+",
        metavar="SRC DEST",
        help="where a model is (a path, http(s)://, s3://, gs://, hf://, oci:// and more), "
        "and the folder it shall be in",
    )
    parser.add_argument("--log_level", choices=logs.LEVELS, default="info")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
