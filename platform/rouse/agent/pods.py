"""Which models the pods of a node use. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from rouse.agent.plan import Run

__all__ = ["runs_of", "uris_of"]

_ANNOTATIONS: Final = (
    "internal.serving.kserve.io/storage-initializer-sourceuri",
    "internal.serving.kserve.io/localmodel-sourceuri",
    "internal.rouse.dev/model-cache",
)
_SEVERAL: Final = "internal.rouse.dev/storage-uris"
_ENDED: Final = ("Succeeded", "Failed")


def runs_of(pods: Iterable[Mapping[str, Any]]) -> list[Run]:
    """The models of the pods that have not ended."""
    found = []
    for pod in pods:
        if (pod.get("status") or {}).get("phase") in _ENDED:
            continue
        since = _seconds(pod["metadata"].get("creationTimestamp"))
        namespace = pod["metadata"].get("namespace") or ""
        found += [Run(uri, since, namespace) for uri in uris_of(pod)]
    return found


def uris_of(pod: Mapping[str, Any]) -> list[str]:
    """The locations that a pod names, by annotations or by its containers' STORAGE_URI."""
    annotations = pod["metadata"].get("annotations") or {}
    found = dict.fromkeys(annotations[name] for name in _ANNOTATIONS if annotations.get(name))
    found |= dict.fromkeys(_listed(annotations.get(_SEVERAL)))
    for container in (pod.get("spec") or {}).get("containers") or ():
        for variable in container.get("env") or ():
            if variable.get("name") == "STORAGE_URI" and "://" in (variable.get("value") or ""):
                found[variable["value"]] = None
    return list(found)


def _listed(text: str | None) -> Iterator[str]:
    try:
        said = orjson.loads(text or "[]")
    except orjson.JSONDecodeError:
        return
    for each in said if isinstance(said, list) else ():
        if isinstance(each, dict) and isinstance(each.get("uri"), str):
            yield each["uri"]


def _seconds(stamp: str | None) -> float:
    """A time of the API as seconds since the epoch; 0, which is before everything, if unknown."""
    try:
        return datetime.fromisoformat(stamp or "").timestamp()
    except ValueError:
        return 0.0
