"""What an agent remembers over its restarts: sizes, uses and copies, in a file of the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import orjson

from rouse.agent.plan import Known

__all__ = ["Memory"]

_MOST_FORMER: Final = 8


class Memory:
    """What is known of each location. Locations may hold secrets: on the disk are their hashes."""

    def __init__(self, path: Path) -> None:
        """Read the file, if there is one; what cannot be read is not remembered."""
        self._path = path
        self._known: dict[str, Known] = {}
        self._pods: set[str] = set()
        self.age = 0.0
        """The ``L`` of the eviction policy."""
        self._written = b""
        self._load()

    def of(self, uri: str) -> Known:
        """What is known of a location."""
        return self._known.get(_hash(uri), Known())

    def all_of(self, uris: Iterable[str]) -> dict[str, Known]:
        """What is known of each location."""
        return {uri: self.of(uri) for uri in uris}

    def fetched(self, uri: str, digest: str, size: int, seconds: float | None) -> None:
        """Take in that a location's present revision is this copy; ``seconds`` None: it was there.

        The copy that it replaces is kept in mind: pods may still read it.
        """
        known = self.of(uri)
        former = [each for each in (*known.former, known.digest) if each and each != digest]
        cost = known.cost if seconds is None else seconds
        self._known[_hash(uri)] = replace(
            known, digest=digest, former=tuple(former[-_MOST_FORMER:]), bytes=size, cost=cost
        )

    def sized(self, uri: str, size: int) -> None:
        """Take in how large a model is that was not fetched."""
        self._known[_hash(uri)] = replace(self.of(uri), bytes=size)

    def used(self, pod: str, uris: Iterable[str], now: float) -> None:
        """Count a use by a pod that was not seen before."""
        if pod in self._pods:
            return
        self._pods.add(pod)
        for uri in uris:
            known = self.of(uri)
            self._known[_hash(uri)] = replace(known, uses=known.uses + 1, used_at=now, age=self.age)

    def forget_pods(self, present: Iterable[str]) -> None:
        """Forget the pods that are gone."""
        self._pods &= set(present)

    def forget(self, uris: Iterable[str], copies: Iterable[str]) -> None:
        """Forget locations that nobody wants and of which no copy is there."""
        keep = {_hash(uri) for uri in uris}
        there = set(copies)
        self._known = {
            key: replace(known, former=tuple(each for each in known.former if each in there))
            for key, known in self._known.items()
            if key in keep or known.digest in there or there.intersection(known.former)
        }

    def save(self) -> None:
        """Write the file, if anything changed; raises OSError."""
        known = {key: asdict(each) for key, each in sorted(self._known.items())}
        said = {"age": self.age, "pods": sorted(self._pods), "known": known}
        text = orjson.dumps(said)
        if text == self._written:
            return
        made = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        made.write_bytes(text)
        made.chmod(0o600)
        made.replace(self._path)
        self._written = text

    def _load(self) -> None:
        try:
            said: Any = orjson.loads(self._path.read_bytes())
            self.age = float(said["age"])
            self._pods = set(map(str, said["pods"]))
            self._known = {
                str(key): Known(**{**each, "former": tuple(each["former"])})
                for key, each in said["known"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self._known = {}


def _hash(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()
