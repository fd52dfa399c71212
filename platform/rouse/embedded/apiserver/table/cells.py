"""Small pieces that the printers of several kinds share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rouse.embedded.apiserver.table.age import age
from rouse.embedded.apiserver.table.columns import Column

__all__ = [
    "AGE",
    "NAME",
    "NONE",
    "columns",
    "condition",
    "container_images",
    "container_names",
    "labels",
    "listed",
    "object_age",
    "selector",
    "wide",
]

Object = dict[str, Any]

NONE = "<none>"
NAME = Column("Name", "string", ".metadata.name", "name", 0, "Name of the object.")
AGE = Column("Age", "string", "", "", 0, "Time since it was created.")


def columns(*names: str) -> tuple[Column, ...]:
    """Columns of text, shown always."""
    return tuple(Column(name, "string") for name in names)


def wide(*names: str) -> tuple[Column, ...]:
    """Columns of text, shown with ``-o wide``."""
    return tuple(Column(name, "string", priority=1) for name in names)


def object_age(obj: Object, now: datetime) -> str:
    """Time since the object was created."""
    return age(obj.get("metadata", {}).get("creationTimestamp"), now)


def condition(status: Object, kind: str) -> Object:
    """The condition of a type, empty when it is not there."""
    for each in status.get("conditions") or ():
        if each.get("type") == kind:
            return dict(each)
    return {}


def labels(pairs: Mapping[str, str] | None) -> str:
    """``a=b,c=d`` in the order of the keys."""
    return ",".join(f"{key}={value}" for key, value in sorted((pairs or {}).items())) or NONE


def selector(spec: Object | None) -> str:
    """A label selector in the form of a query."""
    spec = spec or {}
    parts = [f"{key}={value}" for key, value in sorted((spec.get("matchLabels") or {}).items())]
    for each in spec.get("matchExpressions") or ():
        key, values = each.get("key", ""), ",".join(sorted(each.get("values") or ()))
        match each.get("operator"):
            case "In":
                parts.append(f"{key} in ({values})")
            case "NotIn":
                parts.append(f"{key} notin ({values})")
            case "Exists":
                parts.append(key)
            case "DoesNotExist":
                parts.append(f"!{key}")
    return ",".join(parts) or NONE


def listed(items: Iterable[str], most: int = 3) -> str:
    """The first few, and how many more; ``<none>`` for none."""
    every = list(items)
    if not every:
        return NONE
    shown = ",".join(every[:most])
    return f"{shown} + {len(every) - most} more..." if len(every) > most else shown


def container_names(pod_spec: Object) -> str:
    """Names of a template's containers."""
    return ",".join(each.get("name", "") for each in pod_spec.get("containers") or ())


def container_images(pod_spec: Object) -> str:
    """Images of a template's containers."""
    return ",".join(each.get("image", "") for each in pod_spec.get("containers") or ())
