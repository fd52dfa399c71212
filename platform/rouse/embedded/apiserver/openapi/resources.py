"""What the documents need to know of a resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rouse.embedded.apiserver.schema import builtin_definition_name

__all__ = ["ResourceDescription"]


@dataclass(frozen=True, slots=True)
class ResourceDescription:
    """One resource in one version; ``schema`` is the openAPIV3Schema of a custom resource."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: tuple[str, ...]
    schema: Mapping[str, Any] | None = None
    subresources: tuple[str, ...] = ()

    @property
    def group_version(self) -> str:
        """``apps/v1``, ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def gvk(self) -> dict[str, str]:
        """The form of ``x-kubernetes-group-version-kind``."""
        return {"group": self.group, "kind": self.kind, "version": self.version}

    @property
    def native(self) -> bool:
        """Whether the group is Kubernetes' own, so that clients have its types built in."""
        return "." not in self.group or self.group.endswith(".k8s.io")

    @property
    def builtin_definition(self) -> str:
        """The name of the built-in definition that describes it, empty without one."""
        name = builtin_definition_name(self.group, self.kind)
        return name if name.endswith(f".{self.version}.{self.kind}") else ""

    @property
    def definition(self) -> str:
        """The name of its definition: the group backwards, the version and the kind."""
        if self.builtin_definition:
            return self.builtin_definition
        if self.native:
            head = self.group.partition(".")[0] or "core"
            return f"io.k8s.api.{head}.{self.version}.{self.kind}"
        return ".".join([*reversed(self.group.split(".")), self.version, self.kind])

    @property
    def path(self) -> str:
        """The path of the collection."""
        root = "/apis/" if self.group else "/api/"
        scope = "/namespaces/{namespace}" if self.namespaced else ""
        return f"{root}{self.group_version}{scope}/{self.plural}"
