"""What a cache has of a location, without asking anybody: the way of a wake-up.

Nothing that speaks to a network is imported here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from predictors.storage.entries import Entry, read_entry
from predictors.storage.uris import entry_of

__all__ = [
    "digest_of",
    "kept_entry",
    "key_of",
    "keys_by_digest",
    "latest_entry",
    "latest_name",
    "note_use",
]

_ORIGINS: Final = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "HF_ENDPOINT",
    "STORAGE_EMULATOR_HOST",
    "AZURE_SERVICE_URL",
    "AZURE_ACCOUNT_NAME",
    "HDFS_NAMENODE",
)
"""Variables that make one location mean another place."""
_SCOPED: Final = "@"


def kept_entry(root: Path, uri: str, env: Mapping[str, str]) -> Entry | None:
    """The entry of a location's last known revision in the cache at ``root``, if it is whole."""
    found = latest_entry(root, key_of(uri, env))
    if found is not None:
        note_use(found)
    return found


def latest_entry(root: Path, key: str) -> Entry | None:
    """The entry that a location had last."""
    try:
        digest = (root / "latest" / key).read_text().strip()
    except OSError:
        return None
    return read_entry(root / "models" / digest)


def latest_name(key: str, scope: str) -> str:
    """The name of a location in ``latest``; who opened it by other credentials has another."""
    return f"{key}{_SCOPED}{digest_of(scope)[:16]}" if scope else key


def keys_by_digest(root: Path) -> dict[str, str]:
    """Digest -> key of every location's last entry, whatever the scope."""
    latest = root / "latest"
    found: dict[str, str] = {}
    for path in latest.iterdir() if latest.is_dir() else ():
        if "." in path.name:
            continue  # on its way
        try:
            found[path.read_text().strip()] = path.name.partition(_SCOPED)[0]
        except OSError:
            continue
    return found


def note_use(entry: Entry) -> None:
    """Note the time, where the cache may be written to."""
    try:
        os.utime(entry.folder.parent / "manifest.json")
    except OSError:
        return


def key_of(uri: str, env: Mapping[str, str]) -> str:
    """The name of a location at the origin that the environment means."""
    entry = entry_of(env)
    said = [f"{name}={env[name]}" for name in _ORIGINS if env.get(name)]
    if entry.get("endpoint_url"):
        said.append(f"entry={entry['endpoint_url']}")
    return digest_of(uri, *said)


def digest_of(*words: str) -> str:
    """The hash of some words."""
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()
