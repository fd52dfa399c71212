"""Rules of labels, containers and volumes that hold wherever a pod is described."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rouse.api.base import Strings
from rouse.api.names import MAX_LABEL, is_label_key, is_label_value
from rouse.api.pods.containers import Container, EnvVar
from rouse.errors import FieldError

__all__ = ["check_containers", "check_env", "check_labels", "check_unique"]


def check_labels(labels: Strings | None, path: str) -> Iterator[FieldError]:
    """Find keys and values Kubernetes refuses as labels."""
    for key, value in (labels or {}).items():
        if not is_label_key(key):
            yield FieldError(f"{path}[{key}]", "is no key of a label; write [prefix/]name")
        if not is_label_value(value):
            yield FieldError(
                f"{path}[{key}]",
                f'"{value}" is no value of a label; use at most {MAX_LABEL} letters, digits, '
                "hyphens, underscores and dots",
            )


def check_containers(containers: Sequence[Container], path: str) -> Iterator[FieldError]:
    """Find containers with the same name, and variables given twice."""
    yield from check_unique([c.name for c in containers], path)
    for index, container in enumerate(containers):
        yield from check_env(container.env, f"{path}[{index}].env")


def check_env(env: Sequence[EnvVar] | None, path: str) -> Iterator[FieldError]:
    """Find variables given twice."""
    yield from check_unique([variable.name for variable in env or ()], path)


def check_unique(names: Sequence[str], path: str) -> Iterator[FieldError]:
    """Find names that occur twice in a list."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield FieldError(
                f"{path}[{index}].name", f'"{name}" is there already; every name must be unique'
            )
