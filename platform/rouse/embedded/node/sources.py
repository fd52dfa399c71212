"""ConfigMaps and Secrets a pod refers to: found purely, fetched once, looked up without I/O."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rouse.embedded.node.errors import PodSetupError, Reason

__all__ = ["Kind", "Reference", "Sources", "fetch", "references"]

Kind = Literal["ConfigMap", "Secret"]
Reference = tuple[Kind, str]
"""Kind and name of an object in the pod's namespace."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Contents by reference; an object that does not exist is None. Its repr shows no value."""

    contents: Mapping[Reference, Mapping[str, bytes] | None] = field(
        default_factory=dict, repr=False
    )

    def all(self, kind: Kind, name: str, *, optional: bool = False) -> Mapping[str, bytes]:
        """Every key of one object; raises PodSetupError when it is absent and not optional."""
        found = self.contents.get((kind, name))
        if found is None:
            if optional:
                return {}
            raise PodSetupError(Reason.CONFIG_ERROR, f'{kind} "{name}" not found')
        return found

    def key(self, kind: Kind, name: str, key: str, *, optional: bool = False) -> bytes | None:
        """One key; None when absent and optional. Raises PodSetupError when absent otherwise."""
        found = self.all(kind, name, optional=optional).get(key)
        if found is None and not optional:
            raise PodSetupError(Reason.CONFIG_ERROR, f'key "{key}" not found in {kind} "{name}"')
        return found


def references(pod: dict[str, Any]) -> frozenset[Reference]:
    """Every ConfigMap and Secret the pod's containers and volumes name."""
    spec = pod.get("spec", {})
    found: set[Reference] = set()
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        found.update(_of_environment(container))
    for volume in spec.get("volumes") or []:
        found.update(_of_volume(volume))
        for source in (volume.get("projected") or {}).get("sources") or []:
            found.update(_of_projection(source))
    return frozenset(found)


def _of_environment(container: dict[str, Any]) -> Iterator[Reference]:
    for entry in container.get("env") or []:
        origin = entry.get("valueFrom") or {}
        if "configMapKeyRef" in origin:
            yield ("ConfigMap", origin["configMapKeyRef"]["name"])
        if "secretKeyRef" in origin:
            yield ("Secret", origin["secretKeyRef"]["name"])
    for entry in container.get("envFrom") or []:
        if "configMapRef" in entry:
            yield ("ConfigMap", entry["configMapRef"]["name"])
        if "secretRef" in entry:
            yield ("Secret", entry["secretRef"]["name"])


def _of_volume(volume: dict[str, Any]) -> Iterator[Reference]:
    if "configMap" in volume:
        yield ("ConfigMap", volume["configMap"]["name"])
    if "secret" in volume:
        yield ("Secret", volume["secret"]["secretName"])


def _of_projection(source: dict[str, Any]) -> Iterator[Reference]:
    if "configMap" in source:
        yield ("ConfigMap", source["configMap"]["name"])
    if "secret" in source:
        yield ("Secret", source["secret"]["name"])


async def fetch(
    wanted: frozenset[Reference], get: Callable[[Kind, str], Awaitable[dict[str, Any] | None]]
) -> Sources:
    """Read every reference with ``get``, which answers None for an object that is not there."""
    return Sources({ref: _contents(ref[0], await get(*ref)) for ref in sorted(wanted)})


def _contents(kind: Kind, obj: dict[str, Any] | None) -> Mapping[str, bytes] | None:
    if obj is None:
        return None
    if kind == "Secret":
        return {key: _decoded(value) for key, value in (obj.get("data") or {}).items()}
    texts = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    binary = {key: _decoded(value) for key, value in (obj.get("binaryData") or {}).items()}
    return texts | binary


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PodSetupError(Reason.CONFIG_ERROR, "a Secret's data is not base64") from error
