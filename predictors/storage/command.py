"""The command line of a node's cache: what it is asked, and its answers as JSON lines.

::

    fetch URI    {"event": "progress", "done", "total"} ..., then {"event": "fetched", "digest",
                 "uri", "bytes", "seconds", "new", "stale"} or {"event": "failed", "reason",
                 "message", "needed"}
    list         {"event": "model", ...} for each entry, {"event": "partial", ...} for each download
                 on its way, then {"event": "cache", "bytes", "budget"}
    verify       {"event": "damaged", "digest", "files"} for each entry that is; it is removed
    evict D ...  {"event": "evicted", "digest"} for each
    share        {"event": "shared", "problems"}; asked on standard input, a JSON object
                 {view: {"read": [digest, ...], "hold": [digest, ...]}}, see `views`
    twins        {"event": "twins", "bytes", "problems"}; asked on standard input, a JSON object
                 {folder: the most bytes it may hold}, see `twins`
    sweep        {"event": "swept", "downloads", "bytes"}

Reasons: Budget, ChecksumMismatch, DiskFull, OriginUnreachable, Failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import orjson

from predictors.serving import logs
from predictors.serving.errors import StorageError
from predictors.storage.budget import disk_bytes, published_bytes
from predictors.storage.cache import Cache
from predictors.storage.errors import (
    BudgetError,
    ChecksumError,
    DiskFullError,
    OfflineError,
    TransientError,
)
from predictors.storage.fetching import CACHE
from predictors.storage.seal import content_of, damaged, drop_unused, is_sealed, seal
from predictors.storage.twins import keep_twin_folders
from predictors.storage.views import Reading, share

__all__ = ["main"]

_TWIN_S: Final = 300.0

_REASONS: Final[tuple[tuple[type[StorageError], str], ...]] = (
    (BudgetError, "Budget"),
    (ChecksumError, "ChecksumMismatch"),
    (DiskFullError, "DiskFull"),
    (TransientError, "OriginUnreachable"),
    (OfflineError, "OriginUnreachable"),
)


def main(argv: Sequence[str]) -> int:
    """Do what the arguments ask; the exit code."""
    given = _parser().parse_args(argv)
    logs.configure(given.log_level)
    cache = Cache(given.cache, budget=given.budget, peers=given.peer, scope=given.scope)
    match given.command:
        case "fetch":
            return _fetch(cache, given.uri, twin=given.twin)
        case "list":
            return _list(cache, given.budget)
        case "verify":
            return _verify(cache, given.digests)
        case "evict":
            return _evict(cache, given.digests)
        case "share":
            return _share(cache, sys.stdin.buffer.read())
        case "twins":
            return _twins(cache, sys.stdin.buffer.read())
        case _:
            _tell("swept", downloads=cache.sweep(given.older_than), bytes=drop_unused(cache.root))
            return 0


def _fetch(cache: Cache, uri: str, *, twin: bool) -> int:
    started = perf_counter()
    moved = [False]

    def progress(done: int, total: int) -> None:
        moved[0] = True
        _tell("progress", done=done, total=total)

    try:
        entry = cache.fetch(uri, progress=progress)
        if entry is None:
            raise StorageError(f"the cache {cache.root} cannot be written to.")
        took = perf_counter() - started
        _tell(
            "fetched",
            digest=entry.digest,
            uri=entry.uri,
            bytes=entry.bytes,
            seconds=round(took, 3),
            new=moved[0],
            stale=entry.stale,
        )
        # Servers have it by now: checksums and the flush are for later.
        seal(cache.root, entry.digest)
        cache.settle()
        if twin:
            _translate(entry.folder)
    except (StorageError, OSError) as error:
        return _failed(error)
    return 0


def _translate(folder: Path) -> None:
    """Make the model's twin, if there can be one; that there is none fails no fetch.

    To read a model can run what it brings. So it is asked for, and gets no credentials.
    """
    if find_spec("predictors.twins") is None:
        return
    env = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    command = [sys.executable, "-m", "predictors.twins", "translate", str(folder)]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            command, env=env, timeout=_TWIN_S, stdout=subprocess.DEVNULL, stderr=sys.stderr
        )


def _list(cache: Cache, budget: int) -> int:
    for entry in cache.entries():
        _tell(
            "model",
            digest=entry.digest,
            uri=entry.uri,
            revision=entry.revision,
            bytes=entry.bytes,
            used_at=entry.used_at,
            fetched_at=entry.fetched_at,
            settled=entry.settled,
            sealed=is_sealed(entry.folder.parent),
            content=content_of(entry.folder.parent),
        )
    partial = cache.root / "partial"
    for folder in sorted(partial.iterdir()) if partial.is_dir() else ():
        _tell("partial", digest=folder.name, bytes=disk_bytes(folder))
    _tell("cache", bytes=published_bytes(cache.root), budget=budget)
    return 0


def _verify(cache: Cache, digests: Sequence[str]) -> int:
    """Remove what is damaged: to serve it is worse than to fetch it again."""
    bad = 0
    for digest in digests or list(_names(cache)):
        folder = cache.root / "models" / digest
        whole = cache.entry(digest) is not None
        found = damaged(folder) if whole and is_sealed(folder) else []
        if found or not whole:
            bad += 1
            _tell("damaged", digest=digest, files=found)
            cache.remove(digest)
    return 1 if bad else 0


def _evict(cache: Cache, digests: Sequence[str]) -> int:
    for digest in digests:
        cache.remove(digest)
        _tell("evicted", digest=digest)
    return 0


def _share(cache: Cache, asked: bytes) -> int:
    wanted = {
        str(view): Reading(frozenset(said["read"]), frozenset(said["hold"]))
        for view, said in orjson.loads(asked).items()
    }
    try:
        _tell("shared", problems=share(cache.root, wanted))
    except (OSError, ValueError) as error:
        return _failed(error)
    return 0


def _twins(cache: Cache, asked: bytes) -> int:
    try:
        total, problems = keep_twin_folders(cache.root, orjson.loads(asked))
    except (OSError, ValueError) as error:
        return _failed(error)
    _tell("twins", bytes=total, problems=problems)
    return 0


def _names(cache: Cache) -> Iterator[str]:
    models = cache.root / "models"
    for folder in sorted(models.iterdir()) if models.is_dir() else ():
        if not folder.is_symlink():
            yield folder.name


def _failed(error: BaseException) -> int:
    causes: list[BaseException] = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    said: dict[str, Any] = {"reason": "Failed", "message": str(error), "needed": 0}
    for kind, reason in _REASONS:
        found = next((each for each in causes if isinstance(each, kind)), None)
        if found is not None:
            said["reason"] = reason
            said["needed"] = found.needed if isinstance(found, BudgetError) else 0
            break
    _tell("failed", **said)
    return 1


def _tell(event: str, **said: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps({"event": event, **said}) + b"\n")
    sys.stdout.buffer.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m predictors.storage", description="A node's cache of models."
    )
    folder = os.environ.get(CACHE)
    parser.add_argument("--cache", type=Path, default=folder, required=not folder)
    parser.add_argument("--budget", type=int, default=0, help="the most bytes it may hold")
    parser.add_argument(
        "--peer", action="append", default=[], help="another cache: a folder or a URL; repeatable"
    )
    parser.add_argument("--scope", default="", help="whose credentials a fetch has")
    parser.add_argument("--log_level", choices=logs.LEVELS, default="warning")
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="bring a model into the cache")
    fetch.add_argument("--twin", action="store_true", help="translate it too; this reads the model")
    fetch.add_argument("uri")
    commands.add_parser("list", help="what is in the cache")
    check = commands.add_parser("verify", help="hold files to their checksums")
    check.add_argument("digests", nargs="*")
    commands.add_parser("evict", help="remove entries").add_argument("digests", nargs="+")
    commands.add_parser("share", help="let readers' folders have what they may read")
    commands.add_parser("twins", help="have the folders that pods keep twins in")
    sweep = commands.add_parser("sweep", help="remove downloads that nobody goes on with")
    sweep.add_argument("--older_than", type=float, default=86_400.0, metavar="SECONDS")
    return parser
