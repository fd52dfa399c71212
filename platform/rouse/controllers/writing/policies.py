"""Whom a policy of the gateway's pods is for. Pure.

Policies are in the gateway's namespace and have no owner reference: labels say whose they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rouse.api.base import Object
from rouse.compiler.names import ACCESS_NAMESPACE_LABEL
from rouse.kube.client import EventType
from rouse.kube.informer import Handler
from rouse.kube.objects import Key, labels_of
from rouse.kube.store import IndexBy

__all__ = ["by_protected", "enqueue_protected", "protected_by"]


def protected_by(policy: Mapping[str, Any], label: str) -> Key | None:
    """Return the object that a policy is for; None where it is for one of another kind.

    ``label`` is the one that carries the names of the kind.
    """
    labels = labels_of(policy)
    namespace, name = labels.get(ACCESS_NAMESPACE_LABEL), labels.get(label)
    return Key(namespace, name) if namespace and name else None


def by_protected(label: str) -> IndexBy:
    """Index policies by the object of a kind that they are for."""

    def values(policy: Mapping[str, Any]) -> tuple[str, ...]:
        key = protected_by(policy, label)
        return () if key is None else (str(key),)

    return values


def enqueue_protected(label: str, enqueue: Callable[[Key], None]) -> Handler:
    """Return a handler of policies that enqueues the object of a kind that they are for."""

    def on_policy(_type: EventType, policy: Object) -> None:
        key = protected_by(policy, label)
        if key is not None:
            enqueue(key)

    return on_policy
