"""One model into one folder: list, plan, transfer, unpack."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from predictors.serving.errors import StorageError
from predictors.storage.archives import default_limit, unpack
from predictors.storage.budget import Budget
from predictors.storage.errors import (
    ChangedError,
    ChecksumError,
    TooLargeError,
    TransientError,
)
from predictors.storage.fetching import Progress
from predictors.storage.plan import Download, Listing, Plan, make_plan
from predictors.storage.retry import retried
from predictors.storage.settings import TransferSettings
from predictors.storage.sources import Source, source_of
from predictors.storage.transfer import transfer
from predictors.storage.uris import redacted

__all__ = ["bring", "download", "listing_of", "told"]

_log = logging.getLogger(__name__)
_ROUNDS: Final = 3


def download(
    uri: str, folder: Path, *, env: Mapping[str, str], progress: Progress | None = None
) -> Path:
    """Bring a model into an existing folder; the folder in it that holds the files.

    Raises `StorageError`; a later call with the same folder goes on where this one ended.
    """
    settings = TransferSettings.from_env(env)
    with source_of(uri, env, settings) as source:
        bring(uri, source, folder, settings, progress)
    return folder / "files"


def bring(
    uri: str,
    source: Source,
    folder: Path,
    settings: TransferSettings,
    progress: Progress | None = None,
    budget: Budget | None = None,
) -> Listing:
    """Download and unpack what the source has; the listing that this was.

    An origin whose files change meanwhile is listed again, as is one whose bytes do not have
    their checksum; both at most three times in all.
    """
    listing: Listing | None = None
    for left in reversed(range(_ROUNDS)):
        try:
            listing = listing or listing_of(uri, source, settings)
            plan = make_plan(listing, settings.part_bytes)
            transfer(plan, source, folder, settings, progress, budget)
            _unpack_all(uri, plan, folder, settings, budget)
            return listing
        except (ChangedError, ChecksumError) as error:
            if not left:
                raise told(uri, error) from error
            _log.warning("%s: %s; starting again", redacted(uri), error)
            listing = None
        except StorageError as error:
            raise told(uri, error) from error
        except OSError as error:
            raise StorageError(f"{redacted(uri)}: cannot be stored: {error}.") from error
    raise AssertionError("unreachable: the last round returns or raises")


def listing_of(uri: str, source: Source, settings: TransferSettings) -> Listing:
    """What the source has, with tries; raises `StorageError` that names the location."""
    try:
        return retried(source.listing, settings)
    except StorageError as error:
        raise told(uri, error) from error


def _unpack_all(
    uri: str, plan: Plan, folder: Path, settings: TransferSettings, budget: Budget | None
) -> None:
    archives = [each for each in plan.downloads if each.file.unpack is not None]
    if not archives:
        return
    if len(archives) == len(plan.downloads):
        shutil.rmtree(folder / "files", ignore_errors=True)
    files = sum(_unpack(each, folder, settings.unpacked_bytes, budget) for each in archives)
    if not files and archives[0].file.unpack and archives[0].file.unpack.prefix:
        raise StorageError(
            f"it has no files below /{archives[0].file.unpack.prefix}, where images hold models."
        )
    shutil.rmtree(folder / "archives")
    (folder / "journal").unlink()


def _unpack(download: Download, folder: Path, limit: int, budget: Budget | None) -> int:
    """Unpack one archive within what the cache has left; how many files."""
    archive, how = folder / download.target, download.file.unpack
    if how is None:
        return 0
    most = limit or default_limit(archive)
    room = most if budget is None else budget.claim_most(most)
    try:
        return unpack(archive, folder / "files", how, name=download.file.path, limit=room)
    except TooLargeError as error:
        if budget is None or room == most:
            raise
        raise budget.lacks(archive.stat().st_size) from error


def told(uri: str, error: StorageError) -> StorageError:
    """The error with its location in front, and with what can be done about it."""
    shown = redacted(uri)
    said = str(error)
    if said.startswith(shown):
        return error
    if isinstance(error, TransientError):
        said = (
            f"cannot be downloaded: {said.rstrip('.')}. Check that the origin is up and can be "
            "reached from here; the next try goes on where this one ended where it can."
        )
    text = f"{shown}: {said}"
    return TransientError(text) if isinstance(error, TransientError) else StorageError(text)
