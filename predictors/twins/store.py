"""Where twins are kept: beside their original, by the content of its file.

::

    ROUSE_TWIN_CACHE/<digest>.twin          where that variable is set
    models/<entry>/twins/<digest>.twin      beside a model in a node's cache
    <model folder>/.rouse-twins/<digest>.twin

``<digest>.none`` tells why there is no twin, so that nobody tries again, or not before a time. A
file is published by a rename: it is whole or not there. The digest covers the original's bytes and
the translator's version, so that a changed model or translator finds nothing old.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from time import time
from typing import Any, Final, NamedTuple, Self

import orjson

from predictors.serving.errors import ModelLoadError
from predictors.twins.artifact import BadTwinError, packed, unpacked

__all__ = ["TRANSLATOR", "Found", "Mode", "Place"]

TRANSLATOR: Final = 2
"""Raise it whenever a translation or the arithmetic changes."""

_FOLDER: Final = ".rouse-twins"
_AGAIN_SECONDS: Final = 6 * 3600.0


class Mode(StrEnum):
    """What ROUSE_TWIN asks for."""

    AUTO = "auto"
    OFF = "off"
    REQUIRE = "require"

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Self:
        """Read it from the environment. Raises `ModelLoadError` for another word."""
        text = env.get("ROUSE_TWIN", "").strip().lower() or "auto"
        try:
            return cls(text)
        except ValueError:
            raise ModelLoadError(
                f"ROUSE_TWIN is {text!r}; it must be one of {', '.join(cls)}."
            ) from None


class Found(NamedTuple):
    """A twin's description, or the reason why there is none.

    `settled` when that is for good, `damaged` when there was one that is not usable, `postponed`
    when an attempt came to nothing and the next one is to wait.
    """

    description: Any
    reason: str = ""
    settled: bool = False
    damaged: bool = False
    postponed: bool = False


class Place(NamedTuple):
    """The place of one model's twin."""

    folder: Path
    digest: str

    @classmethod
    def of(cls, file: Path, env: Mapping[str, str]) -> Self:
        """The place for the model in `file`. Raises `OSError` when it cannot be read."""
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return cls(_folder(file, env), f"{digest[:40]}-{TRANSLATOR}")

    @property
    def twin(self) -> Path:
        """The twin's file."""
        return self.folder / f"{self.digest}.twin"

    @property
    def verdict(self) -> Path:
        """The file that says why there is no twin."""
        return self.folder / f"{self.digest}.none"

    def find(self) -> Found:
        """What is there; a file that is no twin counts as none, with the reason."""
        try:
            return Found(unpacked(self.twin))
        except FileNotFoundError:
            pass
        except (OSError, BadTwinError) as error:
            return Found(None, f"the twin in {self.twin} is not usable: {error}", damaged=True)
        try:
            told = orjson.loads(self.verdict.read_bytes())
            reason, until = str(told["reason"]), float(told.get("until", 0.0))
        except FileNotFoundError:
            return Found(None, "there is no twin yet")
        except (OSError, ValueError, KeyError, TypeError) as error:
            return Found(None, f"{self.verdict} cannot be read: {error}", damaged=True)
        return Found(None, reason, settled=not until, postponed=until > time())

    def writable(self) -> bool:
        """Whether a twin could be put here."""
        folder = self.folder
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return os.access(folder, os.W_OK | os.X_OK)

    def put(self, description: Mapping[str, Any]) -> Path:
        """Publish a twin; its file. Raises `OSError`."""
        self._publish(self.twin, packed(description))
        self.verdict.unlink(missing_ok=True)
        return self.twin

    def refuse(self, reason: str) -> None:
        """Note why there is no twin. Raises `OSError`."""
        self._publish(self.verdict, orjson.dumps({"reason": reason}))
        self.twin.unlink(missing_ok=True)

    def begin(self) -> None:
        """Note that a translation begins; who finds the note later leaves it be for hours.

        It stays where the process is killed, say for the memory that it took. Raises `OSError`.
        """
        reason = "a translation of it was begun and did not end"
        until = time() + _AGAIN_SECONDS
        self._publish(self.verdict, orjson.dumps({"reason": reason, "until": until}))

    def give_up(self) -> None:
        """Take the note of `begin` back: that the translation did not end is nobody's fault."""
        if not self.find().settled:
            self.verdict.unlink(missing_ok=True)

    def _publish(self, target: Path, data: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        made = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with made.open("wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
            made.replace(target)
        finally:
            made.unlink(missing_ok=True)


def _folder(file: Path, env: Mapping[str, str]) -> Path:
    given = env.get("ROUSE_TWIN_CACHE")
    if given:
        return Path(given)
    folder = file.parent
    if folder.name == "files" and (folder.parent / "manifest.json").is_file():
        return folder.parent / "twins"
    return folder / _FOLDER
