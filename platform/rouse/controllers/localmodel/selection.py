"""Which nodes a group or a service means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rouse.api.base import Object

__all__ = ["is_ready", "matches", "of_group"]


def of_group(node: Mapping[str, Any], group: Mapping[str, Any]) -> bool:
    """Whether a node belongs to a LocalModelNodeGroup: its volume's nodeAffinity; none: all do."""
    affinity = group["spec"]["persistentVolumeSpec"].get("nodeAffinity") or {}
    required = affinity.get("required")
    if not required:
        return True
    return any(matches(node, term) for term in required.get("nodeSelectorTerms") or ())


def matches(node: Mapping[str, Any], term: Mapping[str, Any]) -> bool:
    """Whether a node fits all conditions of a nodeSelectorTerm; an empty term fits none."""
    labels = node["metadata"].get("labels") or {}
    fields = {"metadata.name": node["metadata"]["name"]}
    conditions = [(each, labels) for each in term.get("matchExpressions") or ()]
    conditions += [(each, fields) for each in term.get("matchFields") or ()]
    return bool(conditions) and all(_holds(each, given) for each, given in conditions)


def is_ready(node: Mapping[str, Any]) -> bool:
    """Whether the kubelet of a node says that it is ready."""
    listed: list[Object] = (node.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in listed)


def _holds(condition: Mapping[str, Any], given: Mapping[str, str]) -> bool:
    value = given.get(condition["key"])
    wanted = condition.get("values") or []
    match condition["operator"]:
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return _number(value) is not None and int(value or 0) > int(wanted[0])
        case "Lt":
            return _number(value) is not None and int(value or 0) < int(wanted[0])
        case _:
            return False


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None
