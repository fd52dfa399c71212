"""Laying what a user gave over what a runtime brings, as Kubernetes' strategic merge does."""

from __future__ import annotations

from typing import Any

from rouse.api.base import Object

__all__ = ["merge_container", "merge_pod"]

_KEYS = {
    "containers": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
}

_MERGED_ITEMS = frozenset({"containers", "initContainers"})

_PROBES = frozenset({"livenessProbe", "readinessProbe", "startupProbe"})
_HANDLERS = frozenset({"exec", "grpc", "httpGet", "tcpSocket"})


def merge_container(base: Object, over: Object) -> Object:
    """Return the container with the fields of ``over`` over those of ``base``.

    Arguments are appended, variables and mounts merge by their key, ports are replaced (a
    Knative container has one), and a probe that is given in another form replaces the old form.
    """
    args = [*base.get("args", ()), *over.get("args", ())]
    merged = merge_pod(base, over)
    return {**merged, "args": args} if args else merged


def merge_pod(base: Object, over: Object) -> Object:
    """Return the pod fields of ``over`` over those of ``base``; neither is changed."""
    merged = dict(base)
    for field, value in over.items():
        merged[field] = _merged(field, base.get(field), value)
    return merged


def _merged(field: str, base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        if field in _PROBES and over.keys() & _HANDLERS:
            base = {k: v for k, v in base.items() if k not in _HANDLERS or k in over}
        return merge_pod(base, over)
    if field in _KEYS and isinstance(base, list) and isinstance(over, list):
        return _by_key(base, over, _KEYS[field], whole=field not in _MERGED_ITEMS)
    return over


def _by_key(base: list[Object], over: list[Object], key: str, *, whole: bool) -> list[Object]:
    """Merge lists by a key of their items: items of ``base`` keep their places."""
    given = {item.get(key): item for item in over}
    kept = [item.get(key) for item in base]
    merged = [
        item
        if item.get(key) not in given
        else (given[item.get(key)] if whole else merge_container(item, given[item.get(key)]))
        for item in base
    ]
    return merged + [item for item in over if item.get(key) not in kept]
