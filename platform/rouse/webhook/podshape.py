"""Whether a pod has the shape that the pod webhook works on. Pure.

An API server only sends pods that it could decode, and no null where a list or an object belongs;
whoever else calls gets a finding and no crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rouse.api.base import Object
from rouse.errors import FieldError

__all__ = ["misshapen"]

_KEYS: Final = {"env": "name", "volumeMounts": "mountPath", "ports": "containerPort", "args": None}
"""Lists of a container that are looked into, and the field that their items have."""
_OBJECTS: Final = (
    "livenessProbe",
    "readinessProbe",
    "resources",
    "securityContext",
    "startupProbe",
)


def misshapen(pod: Object) -> list[FieldError]:
    """Return what is not as the Pod type of Kubernetes has it, where the webhook looks."""
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return [FieldError("spec", "must be an object")]
    return [*_metadata(pod["metadata"]), *_spec(spec)]


def _metadata(metadata: Object) -> Iterator[FieldError]:
    for name in ("annotations", "labels"):
        if not _is_strings(metadata.get(name, {})):
            yield FieldError(f"metadata.{name}", "must map text to text")


def _spec(spec: Object) -> Iterator[FieldError]:
    if not spec.get("containers"):
        yield FieldError("spec.containers", "must have at least one item")
    if not isinstance(spec.get("serviceAccountName", ""), str):
        yield FieldError("spec.serviceAccountName", "must be text")
    yield from _named(spec, "volumes", "spec", "name")
    for lists in ("containers", "initContainers"):
        findings = list(_named(spec, lists, "spec", "name"))
        yield from findings
        if not findings:
            for index, container in enumerate(spec.get(lists) or ()):
                yield from _container(container, f"spec.{lists}[{index}]")


def _container(container: Object, at: str) -> Iterator[FieldError]:
    for name, key in _KEYS.items():
        yield from _named(container, name, at, key)
    for name in _OBJECTS:
        if not isinstance(container.get(name, {}), dict):
            yield FieldError(f"{at}.{name}", "must be an object")


def _named(parent: Object, name: str, at: str, key: str | None) -> Iterator[FieldError]:
    """Findings about a list of objects that have ``key``; of texts where there is none."""
    value = parent.get(name, [])
    if not isinstance(value, list):
        yield FieldError(f"{at}.{name}", "must be a list")
        return
    for index, item in enumerate(value):
        if key is None:
            if not isinstance(item, str):
                yield FieldError(f"{at}.{name}[{index}]", "must be text")
        elif not isinstance(item, dict) or not isinstance(item.get(key), _type_of(key)):
            yield FieldError(f"{at}.{name}[{index}]", f"must be an object with {key}")


def _type_of(key: str) -> type:
    return int if key == "containerPort" else str


def _is_strings(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(text, str) for name, text in value.items()
    )
