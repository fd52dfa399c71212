"""What a served resource is: its names, versions, scope and subresources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rouse.embedded.apiserver.errors import Object

__all__ = ["STANDARD_VERBS", "Resource", "ScalePaths"]

STANDARD_VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a kind keeps what its scale shows; JSON paths such as ``.spec.replicas``."""

    spec: str = ".spec.replicas"
    status: str = ".status.replicas"
    selector: str = ".status.labelSelector"


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """A kind as one group serves it, in one or several versions of equal shape."""

    group: str
    versions: tuple[str, ...]
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False
    scale: ScalePaths | None = None
    custom: bool = False
    """A custom resource: no strategic merge patch, strict about resourceVersion on update."""
    generation: bool = False
    """Whether metadata.generation counts the changes of its spec."""
    storage: str = ""
    """``group/plural`` of a storage it shares with another resource (the two kinds of Event)."""
    stored_version: str = ""
    singular: str = ""
    list_kind: str = ""
    verbs: tuple[str, ...] = STANDARD_VERBS
    subresources: tuple[str, ...] = ()
    """Others than status and scale, e.g. ``log``."""
    schemas: Mapping[str, Object] = field(default_factory=dict)
    """openAPIV3Schema per version, custom resources only."""
    columns: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)
    """additionalPrinterColumns per version, custom resources only."""

    @property
    def bucket(self) -> str:
        """Where its objects are stored."""
        return self.storage or f"{self.group}/{self.plural}"

    @property
    def storage_version(self) -> str:
        """The version objects are written in."""
        return self.stored_version or self.versions[0]

    def served_subresources(self) -> list[str]:
        """status, scale and its own, as far as they can be read and written."""
        named = ["status"] if self.status else []
        if self.scale is not None:
            named.append("scale")
        return named + [name for name in self.subresources if name == "log"]

    def api_version(self, version: str) -> str:
        """``group/version``, or the version alone in the core group."""
        return f"{self.group}/{version}" if self.group else version

    @property
    def singular_name(self) -> str:
        """Name for one, as discovery tells it."""
        return self.singular or self.kind.lower()

    @property
    def list_kind_name(self) -> str:
        """Kind of its list."""
        return self.list_kind or f"{self.kind}List"
