"""How an object is applied where somebody else may have a say in it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from rouse.errors import ConfigError
from rouse.kube.objects import Object

__all__ = ["MANAGER", "Policy", "owned_by_others", "policy_of", "wanted_of"]

MANAGER: Final = "rouse-installer"
"""The field manager of everything the installer applies."""

_ANNOTATION: Final = "rouse.dev/install"


class Policy(StrEnum):
    """Whose an object is."""

    OWN = "own"
    """Rouse's: applied with force, deleted when it is no longer wanted."""
    MERGE = "merge"
    """A ConfigMap with keys of ours: a key that somebody else has set otherwise stays so."""
    IF_ABSENT = "if-absent"
    """Made where it is not there; left alone where somebody else made it."""


def policy_of(obj: Mapping[str, Any]) -> Policy:
    """Return the policy an object asks for by its annotation ``rouse.dev/install``."""
    said = (obj["metadata"].get("annotations") or {}).get(_ANNOTATION)
    if said is None:
        return Policy.OWN
    policy = Policy(said)
    if policy is Policy.MERGE and obj["kind"] != "ConfigMap":
        raise ConfigError(f"{obj['kind']} {obj['metadata']['name']}: only ConfigMaps are merged")
    return policy


def wanted_of(obj: Object, live: Mapping[str, Any] | None) -> tuple[Object, list[str]]:
    """Return what is to be applied, and the keys that somebody else has set otherwise.

    Of a ConfigMap that is merged only the data is ours: its labels may be another project's.
    """
    if policy_of(obj) is not Policy.MERGE:
        return obj, []
    theirs = owned_by_others(live) if live else frozenset()
    have = (live or {}).get("data") or {}
    data = obj.get("data") or {}
    kept = sorted(key for key in data if key in theirs and have.get(key) != data[key])
    metadata = {name: obj["metadata"][name] for name in ("name", "namespace")}
    mine = {key: value for key, value in data.items() if key not in kept}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": mine}, kept


def owned_by_others(live: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of a ConfigMap's data that other managers than the installer have set."""
    return frozenset(
        field.removeprefix("f:")
        for entry in live["metadata"].get("managedFields") or ()
        if entry.get("manager") != MANAGER
        for field in (entry.get("fieldsV1") or {}).get("f:data") or ()
        if field.startswith("f:")
    )
