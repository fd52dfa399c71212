"""Kubernetes objects are plain dicts; these helpers read them without ever changing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "Key",
    "Object",
    "Objects",
    "condition_of",
    "controller_of",
    "key_of",
    "labels_match",
    "labels_of",
    "owner_reference",
    "owner_uids",
    "resource_version_of",
    "selector_of",
    "uid_of",
]

Object: TypeAlias = dict[str, Any]
"""One Kubernetes object (or a part of one) as JSON decodes it."""

Objects: TypeAlias = list[Object]


class Key(NamedTuple):
    """Where an object lives; ``namespace`` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(obj: Mapping[str, Any]) -> Key:
    """Return the key of an object that has a name."""
    metadata = obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])


def uid_of(obj: Mapping[str, Any]) -> str:
    """Return ``metadata.uid``, empty where the API has not given one yet."""
    return str(obj["metadata"].get("uid", ""))


def resource_version_of(obj: Mapping[str, Any]) -> str:
    """Return ``metadata.resourceVersion``, empty where the API has not given one yet."""
    return str(obj["metadata"].get("resourceVersion", ""))


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """Return ``metadata.labels``, empty where there are none."""
    return obj["metadata"].get("labels") or {}


def labels_match(wanted: Mapping[str, str], obj: Mapping[str, Any]) -> bool:
    """Say whether an object carries all of these labels with these values."""
    labels = labels_of(obj)
    return all(labels.get(name) == value for name, value in wanted.items())


def selector_of(labels: Mapping[str, str]) -> str:
    """Write labels as a ``labelSelector``: ``a=1,b=2``."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def owner_reference(owner: Mapping[str, Any], *, controller: bool = True) -> Object:
    """Make the ``ownerReferences`` entry that ties another object's life to ``owner``'s."""
    reference: Object = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    if controller:
        reference |= {"controller": True, "blockOwnerDeletion": True}
    return reference


def _owners(obj: Mapping[str, Any]) -> Iterator[Object]:
    yield from obj["metadata"].get("ownerReferences") or ()


def owner_uids(obj: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the uids of all owners."""
    return tuple(owner["uid"] for owner in _owners(obj))


def controller_of(obj: Mapping[str, Any]) -> Object | None:
    """Return the owner reference with ``controller: true``, if there is one."""
    return next((owner for owner in _owners(obj) if owner.get("controller")), None)


def condition_of(obj: Mapping[str, Any], type_: str) -> Object | None:
    """Return the condition of that type from ``status.conditions``."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == type_), None)
