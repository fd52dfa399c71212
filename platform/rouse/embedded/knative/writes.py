"""Writing what differs, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from rouse.errors import NotFoundError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Object

__all__ = ["rfc3339", "write_status"]


async def write_status(client: KubeClient, live: Object, status: Object) -> None:
    """Replace an object's status if it differs; ConflictError if ``live`` is no longer the newest.

    An object deleted meanwhile needs no status.
    """
    if (live.get("status") or {}) == status:
        return
    try:
        await client.replace({**live, "status": status}, subresource="status")
    except NotFoundError:
        pass


def rfc3339(moment: datetime) -> str:
    """A moment as Kubernetes writes it, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
