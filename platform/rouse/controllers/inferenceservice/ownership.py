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
    service: Mapping[str, Any], wanted: Mapping[str, Any], live: Mapping[str, Any] | None
) -> None:
    """Raise unless ``live`` is absent or belongs to this very InferenceService.

    What is wanted without an owner belongs to all: then it is enough that Rouse made it.
    `ConflictError` where it is only a matter of time: what an InferenceService of the same name,
    now deleted, has left is still being collected.
    """
    if live is None:
        return
    what = f"{live['kind']} {live['metadata']['name']}"
    if controller_of(wanted) is None:
        if MANAGED_BY.items() <= labels_of(live).items():
            return
        raise NotOwnedError(
            f"{what} in namespace {live['metadata'].get('namespace')} was made by someone else; "
            f"delete or rename it: Rouse needs that name for all InferenceServices"
        )
    owner = controller_of(live) or {}
    if owner.get("uid") == uid_of(service):
        if live["metadata"].get("deletionTimestamp"):
            raise ConflictError(f"{what} is still being deleted", status=409, reason="Conflict")
        return
    name = service["metadata"]["name"]
    if (owner.get("kind"), owner.get("name")) == (service["kind"], name):
        message = f"{what} of the deleted InferenceService {name} is still there"
        raise ConflictError(message, status=409, reason="Conflict")
    holder = f"belongs to {owner['kind']} {owner['name']}" if owner else "was made by someone else"
    message = (
        f"{what} in namespace {live['metadata'].get('namespace')} {holder}; "
        f"delete it or rename the InferenceService, which needs that name"
    )
    raise NotOwnedError(message)
