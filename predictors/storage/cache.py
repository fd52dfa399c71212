"""The models of a node, shared by its processes.

::

    models/<digest>/   files/ and manifest.json; a rename brings it, so it is whole or not there
    partial/<digest>/  a download on its way; the next process goes on with it
    latest/<key>       the digest that a location had last
    locks/<digest>     held by who fetches
    blobs/<sha256>     files that several entries have in common, by a further name
    views/             what of it pods may read: see `predictors.storage.views`

A removed entry goes by a rename too, and whoever has mapped its files keeps them.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import time

from predictors.serving.errors import StorageError
from predictors.storage.budget import BUDGET, RESERVED, Budget
from predictors.storage.download import bring, told
from predictors.storage.entries import Entry, read_entry, settle, write_manifest
from predictors.storage.errors import BudgetError, DiskFullError, OfflineError, TransientError
from predictors.storage.fetching import Progress
from predictors.storage.kept import (
    digest_of,
    key_of,
    latest_entry,
    latest_name,
    note_use,
)
from predictors.storage.locks import held, try_lock
from predictors.storage.plan import Listing
from predictors.storage.retry import retried
from predictors.storage.seal import drop_unused
from predictors.storage.settings import TransferSettings, peer_settings
from predictors.storage.sources import Source, source_of
from predictors.storage.uris import redacted, resolved
from predictors.storage.views import drop_from_views

__all__ = ["Cache"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A model on its way into the cache."""

    uri: str
    key: str
    """The location's name in ``latest``."""
    digest: str
    env: Mapping[str, str]
    settings: TransferSettings


class Cache:
    """A cache in a folder; any number of processes may use it at once."""

    def __init__(
        self, root: Path, *, budget: int = 0, peers: Sequence[str] = (), scope: str = ""
    ) -> None:
        """``budget`` is the most bytes it may hold (0: what the environment of a fetch says).

        ``peers`` are other nodes' caches, as folders or URLs, asked in this order before an origin.
        ``scope`` names whose credentials a fetch has: what one opened is no other's, so that the
        same location has an entry for each. Equal bytes are stored once all the same.
        """
        self.root = root
        self._budget = budget
        self._peers = tuple(peers)
        self._scope = scope

    def fetch(
        self, uri: str, *, env: Mapping[str, str] = os.environ, progress: Progress | None = None
    ) -> Entry | None:
        """The entry of a location, fetched first when there is none of its present revision.

        A location that fixes its bytes is looked up without any network. For others the origin is
        asked for its revision; when it cannot be reached, what was had last is used. None when the
        model is not there and the cache cannot be written to. Raises `StorageError`.
        """
        uri = resolved(uri, env)
        settings = TransferSettings.from_env(env)
        key = latest_name(key_of(uri, env), self._scope)
        with source_of(uri, env, settings) as source:
            try:
                revision = (
                    source.revision() if source.pinned else retried(source.revision, settings)
                )
            except (TransientError, OfflineError) as error:
                return self._last(uri, key, error)
            except StorageError as error:
                raise told(uri, error) from error
            digest = digest_of(key, revision or uuid.uuid4().hex)
            found = self.entry(digest)
            if found is not None:
                note_use(found)
                return found
            if not self._writable():
                _log.warning(
                    "%s is not in the read-only cache %s; it is downloaded for this process alone",
                    redacted(uri),
                    self.root,
                )
                return None
            with held(self._path("locks", digest), settings.lock_seconds):
                return self.entry(digest) or self._fetch(
                    _Wanted(uri, key, digest, env, settings), source, progress
                )

    def entry(self, digest: str) -> Entry | None:
        """The entry of that name, if it is there and whole."""
        return read_entry(self.root / "models" / digest)

    def entries(self) -> Iterator[Entry]:
        """Every whole entry."""
        models = self.root / "models"
        for folder in sorted(models.iterdir()) if models.is_dir() else ():
            found = read_entry(folder)
            if found is not None:
                yield found

    def settle(self) -> int:
        """Flush what was fetched lately to the disk; how many entries. The node's agent calls it.

        An entry whose process ended before its flush is fetched again after a reboot otherwise.
        """
        waiting = [each for each in self.entries() if not each.settled]
        for each in waiting:
            self._settle(each)
        return len(waiting)

    def remove(self, digest: str) -> None:
        """Remove an entry; processes that have its files open keep them until they close them."""
        drop_from_views(self.root, digest)
        gone = self._path("partial", f"removed-{uuid.uuid4().hex}")
        try:
            (self.root / "models" / digest).rename(gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone, ignore_errors=True)
        drop_unused(self.root)

    def sweep(self, older_than_s: float) -> int:
        """Remove downloads that nobody has gone on with for so many seconds; how many."""
        removed = 0
        for folder in list(self._path("partial", ".").iterdir()):
            with try_lock(self._path("locks", folder.name)) as free:
                if free and time() - folder.stat().st_mtime >= older_than_s:
                    shutil.rmtree(folder, ignore_errors=True)
                    removed += 1
        return removed

    def _fetch(self, wanted: _Wanted, source: Source, progress: Progress | None) -> Entry:
        uri, digest = wanted.uri, wanted.digest
        target = self._path("models", digest)
        if target.exists():
            _log.warning("the cache's entry of %s is damaged; it is fetched again", redacted(uri))
            self.remove(digest)
        partial = self._path("partial", digest)
        partial.mkdir(exist_ok=True)
        os.utime(partial)
        listing = self._bring(wanted, source, partial, progress)
        try:
            write_manifest(partial, redacted(uri), listing, time())
            partial.rename(target)
            (target / "journal").unlink(missing_ok=True)
            (target / RESERVED).unlink(missing_ok=True)
            self._remember(wanted.key, digest)
        except OSError as error:
            raise StorageError(f"{redacted(uri)}: the cache cannot be written: {error}.") from error
        found = self.entry(digest)
        if found is None:
            raise StorageError(f"{redacted(uri)}: what was put into {target} is not there.")
        # The model is served meanwhile; a process that ends before leaves it to `settle`.
        threading.Thread(target=self._settle, args=(found,), name="settle", daemon=True).start()
        return found

    def _bring(
        self, wanted: _Wanted, source: Source, partial: Path, progress: Progress | None
    ) -> Listing:
        """Download from the first peer that has these very bytes, else from the origin."""
        limit = self._budget or _budget_of(wanted.env)
        budget = Budget(self.root, wanted.digest, limit) if limit else None
        if self._peers:
            from predictors.storage.sources.peer import PeerSource

            patience = peer_settings(wanted.settings)
            for peer in self._peers:
                try:
                    with PeerSource(peer, wanted.digest, wanted.env, patience) as found:
                        return bring(wanted.uri, found, partial, patience, progress, budget)
                except StorageError as error:
                    if isinstance(error.__cause__, BudgetError | DiskFullError):
                        raise
                    _log.info("%s is not taken from %s: %s", redacted(wanted.uri), peer, error)
        return bring(wanted.uri, source, partial, wanted.settings, progress, budget)

    def _settle(self, entry: Entry) -> None:
        try:
            settle(entry.folder.parent)
        except OSError as error:
            _log.debug("%s is not settled: %s", entry.digest, error)

    def _last(self, uri: str, key: str, error: StorageError) -> Entry:
        """What the location was when it could last be asked."""
        found = latest_entry(self.root, key)
        if found is None:
            raise told(uri, error) from error
        _log.warning("%s: %s; the cached revision is used", redacted(uri), error)
        note_use(found)
        return replace(found, stale=str(told(uri, error)))

    def _remember(self, key: str, digest: str) -> None:
        path = self._path("latest", key)
        made = path.with_name(f"{key}.{os.getpid()}")
        made.write_text(digest)
        made.replace(path)

    def _writable(self) -> bool:
        try:
            self._path("models", ".")
        except StorageError:
            return False
        return os.access(self.root / "models", os.W_OK)

    def _path(self, kind: str, name: str) -> Path:
        folder = self.root / kind
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the cache {self.root} cannot be written: {error}.") from error
        return folder / name


def _budget_of(env: Mapping[str, str]) -> int:
    text = env.get(BUDGET, "")
    if text and not text.isdecimal():
        raise StorageError(f"{BUDGET} is {text!r}; it takes a number of bytes.")
    return int(text or 0)
