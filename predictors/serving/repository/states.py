"""Which models and versions a server knows, and how each of them is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

__all__ = ["IndexEntry", "State", "States", "age", "newest"]


class State(StrEnum):
    """The life of a version, by Triton's and MLServer's words."""

    UNAVAILABLE = "UNAVAILABLE"
    LOADING = "LOADING"
    READY = "READY"
    UNLOADING = "UNLOADING"


class IndexEntry(NamedTuple):
    """A line of the repository's index; `reason` says why a version does not answer."""

    name: str
    version: str
    state: str
    reason: str = ""


class States:
    """The last known state of every version."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], IndexEntry] = {}

    def __iter__(self) -> Iterator[IndexEntry]:
        return iter(self._entries.values())

    def put(self, name: str, version: str, state: State, reason: str = "") -> None:
        """Note a state."""
        self._entries[name, version] = IndexEntry(name, version, state.value, reason)

    def of(self, name: str) -> list[IndexEntry]:
        """The versions of a model."""
        return [entry for entry in self if entry.name == name]


def age(version: str) -> tuple[bool, int, str]:
    """What sorts versions, oldest first: names before numbers, each by their order."""
    number = version.isdecimal()
    return number, int(version) if number else 0, version


def newest(versions: Iterable[str]) -> str:
    """The latest of some versions: the largest number, or where there is none the last name."""
    return max(versions, key=age)
