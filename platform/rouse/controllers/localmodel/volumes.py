"""The volumes and claims through which pods of KServe's kind mount a group's models. Pure.

Named as KServe names them: ``<cache>-<group>-<namespace>`` is the volume, ``<cache>-<group>`` the
claim, in each namespace that has a service of the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rouse.api.base import Object
from rouse.compiler.names import MANAGED_BY, shorten
from rouse.controllers.localmodel.services import Use, uses_cache
from rouse.kube.objects import key_of, owner_reference, uid_of

__all__ = ["claim_name", "make_volumes", "selector_of"]

_MAX_NAME = 63
_FOLDERS = ("local", "hostPath", "nfs")
"""Volumes that are a folder by its path; others are what their driver makes of them."""
_OWNER_LABEL = "rouse.dev/local-model-cache"
"""The uid of the cache: what is in no namespace has no owner in one."""


def make_volumes(
    cache: Mapping[str, Any], groups: Mapping[str, Object], uses: Iterable[Use]
) -> list[Object]:
    """Return the volumes, each followed by its claim, in a stable order."""
    names = [name for name in cache["spec"]["nodeGroups"] if name in groups]
    using = {
        (group, use.service.namespace)
        for use in uses
        if uses_cache(use, cache)
        for group in ([use.group] if use.group else names)
        if group in names
    }
    found: list[Object] = []
    for name, namespace in sorted(using):
        found += _pair(cache, groups[name]["spec"], name, namespace)
    return found


def claim_name(cache: Mapping[str, Any], group: str) -> str:
    """Return what a cache's claim of a LocalModelNodeGroup is called, in every namespace."""
    return shorten(f"{cache['metadata']['name']}-{group}", _MAX_NAME)


def selector_of(cache: Mapping[str, Any]) -> str:
    """Return the label selector of all volumes and claims that were made for a cache."""
    return f"{_OWNER_LABEL}={uid_of(cache)}"


def _pair(
    cache: Mapping[str, Any], group: Mapping[str, Any], name: str, namespace: str
) -> tuple[Object, Object]:
    claimed = claim_name(cache, name)
    volume_name = shorten(f"{claimed}-{namespace}", _MAX_NAME)
    reference = {"name": claimed, "namespace": namespace}
    metadata = _metadata(cache, volume_name)
    if key_of(cache).namespace:
        # What is in a namespace cannot own what is in none: the reconcile removes it.
        del metadata["ownerReferences"]
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": metadata,
        "spec": {**_narrowed(group["persistentVolumeSpec"], cache), "claimRef": reference},
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {**_metadata(cache, claimed), "namespace": namespace},
        "spec": {**group["persistentVolumeClaimSpec"], "volumeName": volume_name},
    }
    return volume, claim


def _narrowed(spec: Mapping[str, Any], cache: Mapping[str, Any]) -> Object:
    """The volume's spec, of whose folder a namespace sees what the agents let it read."""
    namespace = key_of(cache).namespace
    view = f"views/namespaces/{namespace}" if namespace else "views/shared"
    narrowed = {
        kind: {**source, "path": f"{source['path'].rstrip('/')}/{view}"}
        for kind, source in spec.items()
        if kind in _FOLDERS
    }
    return {**spec, **narrowed}


def _metadata(cache: Mapping[str, Any], name: str) -> Object:
    return {
        "name": name,
        "labels": {**MANAGED_BY, _OWNER_LABEL: uid_of(cache)},
        "ownerReferences": [owner_reference(cache)],
    }
