"""API keys of InferenceServices, as a Secret holds them: names and hashes, never the keys.

An entry of the Secret's data is a name and, line by line, the hashes of the keys that it stands
for; two lines let an old key work while callers change to the new one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "KEY_HEADER",
    "KEY_PREFIX",
    "LABEL",
    "NAME_HEADER",
    "Key",
    "default_secret",
    "encode_hashes",
    "find_key",
    "hash_of",
    "parse_keys",
]

LABEL = "rouse.dev/api-keys"
"""Of the Secrets that hold keys, with the value ``true``: no other Secret is ever read. As an
annotation of an InferenceService, the name of its Secret."""
KEY_HEADER = "x-api-key"
NAME_HEADER = "x-rouse-api-key-name"
"""Tells the model server, and what logs its requests, whose key it was."""
KEY_PREFIX = "rk_"
"""Begins keys that Rouse makes, so that scanners of leaked secrets can know them."""

_SCHEME = "sha256:"
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Key:
    """One key: the name it goes by, and the SHA-256 of its text."""

    name: str
    digest: bytes

    @property
    def fingerprint(self) -> str:
        """The begin of its hash: tells keys apart, and nothing about them."""
        return self.digest.hex()[:12]


def default_secret(service: str) -> str:
    """Return the Secret of an InferenceService that names none."""
    return f"{service}-api-keys"


def hash_of(key: str) -> str:
    """Return what a Secret holds of a key: no salt, as a random key cannot be guessed from it."""
    return _SCHEME + hashlib.sha256(key.encode()).hexdigest()


def parse_keys(data: Mapping[str, str]) -> tuple[tuple[Key, ...], tuple[str, ...]]:
    """Read the ``data`` of a Secret; also return the names of entries that hold no hashes."""
    keys: list[Key] = []
    unreadable: list[str] = []
    for name, encoded in sorted(data.items()):
        found = list(_hashes(encoded))
        if None in found or not found:
            unreadable.append(name)
        keys += [Key(name, digest) for digest in found if digest is not None]
    return tuple(keys), tuple(unreadable)


def encode_hashes(keys: Sequence[Key]) -> str:
    """Return the value of one entry of a Secret's ``data``."""
    lines = "".join(f"{_SCHEME}{key.digest.hex()}\n" for key in keys)
    return base64.b64encode(lines.encode()).decode()


def find_key(keys: Sequence[Key], presented: str) -> Key | None:
    """Return the key that was presented; takes as long whichever it is, and when it is none."""
    digest = hashlib.sha256(presented.encode()).digest()
    found = None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def _hashes(encoded: str) -> Iterator[bytes | None]:
    """Yield the digests of an entry, None for a line that is no hash."""
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        yield None
        return
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _HASH.fullmatch(line)
        yield bytes.fromhex(match[1]) if match else None
