"""What of a cache who may read: folders of hard links, the only ones of it that pods mount.

::

    views/shared/                    what every namespace may read
    views/namespaces/<namespace>/    what one namespace may

Each has the layout of a cache (``models`` and ``latest``), so that it is read like one, and files
that are those of the cache's own entries: they take no room of their own. Readers mount a view
read-only; the agent alone writes. A folder of a view stays when it is empty: a running pod has it
mounted.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from predictors.storage.entries import FILES, MANIFEST, SETTLED, TWINS
from predictors.storage.kept import keys_by_digest

__all__ = ["VIEWS", "Reading", "drop_from_views", "share"]

VIEWS: Final = "views"
_ALL: Final = "shared"
_NAME: Final = re.compile(r"shared|namespaces/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a view shall have: ``read`` is brought; ``hold`` stays where it is there."""

    read: frozenset[str] = frozenset()
    hold: frozenset[str] = frozenset()


def share(root: Path, wanted: Mapping[str, Reading]) -> list[str]:
    """Let every view of the cache at ``root`` have what is wanted of it and nothing else.

    A view that is not named is emptied. Done before, it changes nothing. Returns why entries could
    not be brought; raises ValueError for a name that is no view, OSError when a view cannot be
    written.
    """
    for name in wanted:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no view of a cache")
    keys = keys_by_digest(root)
    # Who makes it first owns it: a kubelet that mounts a namespace's view would, as root.
    (root / VIEWS / "namespaces").mkdir(parents=True, exist_ok=True)
    # A volume of what all may read is mounted before there is anything in it.
    there = {_ALL, *(str(folder.relative_to(root / VIEWS)) for folder in _views(root))}
    problems = []
    for name in sorted(there | wanted.keys()):
        view = root / VIEWS / name
        reading = wanted.get(name, Reading())
        models, latest = _own(view / "models"), _own(view / "latest")
        _leave(models, reading.read | reading.hold)
        for digest in sorted(reading.read):
            try:
                _bring(root / "models" / digest, models / digest)
            except FileNotFoundError:
                continue  # it goes, or came damaged: the next look finds out
            except (OSError, ValueError, KeyError) as error:
                problems.append(f"{digest} is not in {view}: {error}")
        _point(latest, {keys[each]: each for each in reading.read if each in keys})
    return problems


def drop_from_views(root: Path, digest: str) -> None:
    """Take an entry out of all views, before its room counts as free."""
    for view in _views(root):
        _remove(view / "models" / digest)


def _views(root: Path) -> Iterator[Path]:
    for pattern in ("shared", "namespaces/*"):
        for folder in (root / VIEWS).glob(pattern):
            if folder.is_dir() and not folder.is_symlink():
                yield folder


def _own(folder: Path) -> Path:
    """Make a folder; one that the kubelet made for a mount, as root's and empty, is replaced."""
    view = folder.parent
    if view.is_dir() and not os.access(view, os.W_OK):
        view.rmdir()
    view.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(exist_ok=True)
    return folder


def _leave(models: Path, stays: Collection[str]) -> None:
    for folder in list(models.iterdir()):
        if folder.name not in stays:
            _remove(folder)


def _remove(folder: Path) -> None:
    """By a rename first, so that nobody finds half an entry."""
    gone = folder.with_name(f".{uuid.uuid4().hex}")
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return
    if gone.is_symlink() or not gone.is_dir():
        gone.unlink()
    else:
        shutil.rmtree(gone, ignore_errors=True)


def _bring(entry: Path, target: Path) -> None:
    """Link an entry, or what of it is new or another file by now: a blob, a flush, a twin."""
    if target.is_dir() and not target.is_symlink():
        _link_all(entry, target)
        return
    _remove(target)
    made = target.with_name(f".{uuid.uuid4().hex}")
    made.mkdir()
    try:
        _link_all(entry, made)
        made.rename(target)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _link_all(entry: Path, target: Path) -> None:
    for path in _files(entry):
        linked = target / path.relative_to(entry)
        try:
            if os.path.samestat(os.lstat(linked), os.lstat(path)):
                continue
        except FileNotFoundError:
            linked.parent.mkdir(parents=True, exist_ok=True)
        made = linked.with_name(f".{uuid.uuid4().hex}")
        os.link(path, made, follow_symlinks=False)
        made.replace(linked)


def _files(entry: Path) -> Iterator[Path]:
    """The manifest last: without it there is no entry."""
    manifest = entry / MANIFEST
    for name in orjson.loads(manifest.read_bytes())["files"]:
        yield entry / FILES / name
    yield from (entry / TWINS).glob("[!.]*")
    if (entry / SETTLED).exists():
        yield entry / SETTLED
    yield manifest


def _point(latest: Path, wanted: Mapping[str, str]) -> None:
    for path in list(latest.iterdir()):
        if path.name not in wanted:
            path.unlink()
    for key, digest in wanted.items():
        path = latest / key
        if path.is_symlink() or not path.exists() or path.read_text() != digest:
            made = path.with_name(f".{uuid.uuid4().hex}")
            made.write_text(digest)
            made.replace(path)
