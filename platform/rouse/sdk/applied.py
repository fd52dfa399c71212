"""What an apply changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rouse.kube.objects import Object
from rouse.kube.resources import resource_of

__all__ = ["Applied", "compare"]


@dataclass(frozen=True)
class Applied:
    """One object after an apply, and whether that created it, configured it, or found it so."""

    object: Object
    action: Literal["created", "configured", "unchanged"]
    warnings: tuple[str, ...] = ()
    """What the API says beside it, such as a field without effect."""

    def __str__(self) -> str:
        resource = resource_of(self.object)
        kind = resource.kind.lower() + (f".{resource.group}" if resource.group else "")
        return f"{kind}/{self.object['metadata']['name']} {self.action}"


def compare(before: Object | None, after: Object, warnings: Iterable[str] = ()) -> Applied:
    """Name the change between two reads of one object."""
    told = tuple(warnings)
    if before is None or before["metadata"]["uid"] != after["metadata"]["uid"]:
        return Applied(after, "created", told)
    same = before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
    return Applied(after, "unchanged" if same else "configured", told)
