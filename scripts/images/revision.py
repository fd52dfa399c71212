"""What is built: the version, the commit and its time, by which tags and digests repeat."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Revision", "read_revision"]


@dataclass(frozen=True, slots=True)
class Revision:
    """The state of the source tree."""

    version: str
    """Of ``pyproject.toml``."""
    commit: str
    """The whole hash, or ``unknown`` outside of a git checkout."""
    epoch: int
    """Time of the commit in seconds since 1970: the time of every file in an image."""
    dirty: bool
    """Whether files that git tracks, or could, differ from the commit."""

    @property
    def tag(self) -> str:
        """E.g. ``v0.1.0-g4e4c951``; ``-dirty`` behind it names a tree that cannot be had again."""
        return f"v{self.version}-g{self.commit[:7]}{'-dirty' if self.dirty else ''}"


def read_revision(root: Path) -> Revision:
    """The revision of a checkout; without git, version and a fixed time."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    try:
        commit, epoch = _git(root, "log", "-1", "--format=%H %ct").split()
        dirty = bool(_git(root, "status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return Revision(project["version"], "unknown", 0, dirty=True)
    return Revision(project["version"], commit, int(epoch), dirty)


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
