"""The informer's copy of a collection, with indexes. Pure; objects in it are never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from rouse.kube.objects import Key, Object, key_of, labels_match, owner_uids

__all__ = ["IndexBy", "Store", "by_label", "by_namespace", "by_owner"]

IndexBy: TypeAlias = Callable[[Mapping[str, Any]], Iterable[str]]
"""The values an object is found under in an index."""


def by_namespace(obj: Mapping[str, Any]) -> Iterable[str]:
    """Index by namespace."""
    return (obj["metadata"].get("namespace", ""),)


def by_owner(obj: Mapping[str, Any]) -> Iterable[str]:
    """Index by the uids of the owners."""
    return owner_uids(obj)


def by_label(name: str) -> IndexBy:
    """Index by the value of one label, for the objects that have it."""

    def values(obj: Mapping[str, Any]) -> Iterable[str]:
        value = (obj["metadata"].get("labels") or {}).get(name)
        return () if value is None else (value,)

    return values


def _same(obj: Object) -> Object:
    return obj


class Store:
    """Objects by key. An index maps a value to the keys of the objects that have it.

    ``packed`` keeps them as JSON, in about a tenth of the memory; each reading then makes a new
    object, in some ten microseconds.
    """

    def __init__(self, *, packed: bool = False) -> None:
        self._pack: Callable[[Object], Any] = orjson.dumps if packed else _same
        self._unpack: Callable[[Any], Object] = orjson.loads if packed else _same
        self._objects: dict[Key, Any] = {}
        self._by: dict[str, IndexBy] = {"namespace": by_namespace, "owner": by_owner}
        # Keys of a value are a dict and no set: its order is that of insertion, always the same.
        self._indexes: dict[str, dict[str, dict[Key, None]]] = {name: {} for name in self._by}

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Object]:
        """Iterate over a copy, so that the store may change meanwhile."""
        return map(self._unpack, list(self._objects.values()))

    def all_keys(self) -> list[Key]:
        """Return the keys of all objects."""
        return list(self._objects)

    def get(self, key: Key) -> Object | None:
        """Return one object."""
        kept = self._objects.get(key)
        return None if kept is None else self._unpack(kept)

    def add_index(self, name: str, by: IndexBy) -> None:
        """Add an index over what is and what will be in the store."""
        self._by[name] = by
        self._indexes[name] = {}
        for key, kept in self._objects.items():
            self._index(name, key, self._unpack(kept))

    def put(self, obj: Object) -> Object | None:
        """Keep an object; return the one it replaces."""
        key = key_of(obj)
        old = self.get(key)
        if old is not None:
            self._unindex(key, old)
        self._objects[key] = self._pack(obj)
        for name in self._by:
            self._index(name, key, obj)
        return old

    def remove(self, key: Key) -> Object | None:
        """Drop an object and return it."""
        old = self.get(key)
        if old is not None:
            del self._objects[key]
            self._unindex(key, old)
        return old

    def indexed(self, name: str, value: str) -> list[Object]:
        """Return the objects that have ``value`` in an index."""
        return [self._unpack(self._objects[key]) for key in self._indexes[name].get(value, ())]

    def select(
        self, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Object]:
        """Return the objects of a namespace (or all) that carry these labels."""
        found: Sequence[Object] = self.indexed("namespace", namespace) if namespace else list(self)
        return [obj for obj in found if not labels or labels_match(labels, obj)]

    def _index(self, name: str, key: Key, obj: Object) -> None:
        index = self._indexes[name]
        for value in self._by[name](obj):
            index.setdefault(value, {})[key] = None

    def _unindex(self, key: Key, obj: Object) -> None:
        for name, by in self._by.items():
            index = self._indexes[name]
            for value in by(obj):
                keys = index.get(value)
                if keys is not None:
                    keys.pop(key, None)
                    if not keys:
                        del index[value]
