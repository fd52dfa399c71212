"""Whether a wanted object may be written over what is there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rouse.compiler.names import MANAGED_BY
from rouse.errors import ConflictError, InvalidError
from rouse.kube.objects import controller_of, labels_of, uid_of

__all__ = ["NotOwnedError", "check_owner"]


class NotOwnedError(InvalidError):
    """An object of that name is there and belongs to something, or someone, else."""


def check_owner(
    owner: Mapping[str, Any], wanted: Mapping[str, Any], live: Mapping[str, Any] | None
) -> None:
    """Raise unless ``live`` is absent or belongs to this very ``owner``.

    What is wanted without an owner belongs to all: then it is enough that Rouse made it.
    `ConflictError` where it is only a matter of time: what an owner of the same kind and name, now
    deleted, has left is still being collected.
    """
    if live is None:
        return
    # Two kinds are called Service; who is to delete one must know which.
    knative = "Knative " if wanted["apiVersion"].startswith("serving.knative.dev/") else ""
    what = f"{knative}{live['kind']} {live['metadata']['name']}"
    if controller_of(wanted) is None:
        if MANAGED_BY.items() <= labels_of(live).items():
            return
        raise NotOwnedError(
            f"{what} in namespace {live['metadata'].get('namespace')} was made by someone else; "
            f"delete or rename it: Rouse needs that name for all {owner['kind']}s"
        )
    holder = controller_of(live) or {}
    if holder.get("uid") == uid_of(owner):
        if live["metadata"].get("deletionTimestamp"):
            raise ConflictError(f"{what} is still being deleted", status=409, reason="Conflict")
        return
    kind, name = owner["kind"], owner["metadata"]["name"]
    if (holder.get("kind"), holder.get("name")) == (kind, name):
        message = f"{what} of the deleted {kind} {name} is still there"
        raise ConflictError(message, status=409, reason="Conflict")
    whose = (
        f"belongs to {holder['kind']} {holder['name']}" if holder else "was made by someone else"
    )
    message = (
        f"{what} in namespace {live['metadata'].get('namespace')} {whose}; "
        f"delete it or rename the {kind}, which needs that name"
    )
    raise NotOwnedError(message)
