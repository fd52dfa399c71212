"""From a path to the resource, namespace, name and subresource it names."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from rouse.embedded.apiserver.errors import (
    StatusError,
    already_exists,
    conflict,
    forbidden,
    no_such_resource,
    not_found,
)
from rouse.embedded.apiserver.records import Key
from rouse.embedded.apiserver.registry import Registry
from rouse.embedded.apiserver.resources import Resource

__all__ = ["Target", "resolve"]

_NAMESPACE_PARTS = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; ``name`` is empty for a collection."""

    resource: Resource
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def api_version(self) -> str:
        """``group/version`` the client speaks."""
        return self.resource.api_version(self.version)

    @property
    def key(self) -> Key:
        """Where the object is in its bucket."""
        return Key(self.namespace, self.name)

    def not_found(self) -> StatusError:
        """404 for the object of this request."""
        return not_found(self.resource.group, self.resource.plural, self.name)

    def already_exists(self, name: str) -> StatusError:
        """409 for a create."""
        return already_exists(self.resource.group, self.resource.plural, name)

    def conflict(self, why: str) -> StatusError:
        """409 for a stale write."""
        return conflict(self.resource.group, self.resource.plural, self.name, why)

    def forbidden(self, name: str, why: str) -> StatusError:
        """403 by the platform's rules."""
        return forbidden(self.resource.group, self.resource.plural, name, why)


def resolve(path: str, registry: Registry) -> Target:
    """The target of ``/api/v1/...`` or ``/apis/<group>/<version>/...``; 404 when not served."""
    segments = [unquote(part) for part in path.split("/") if part]
    if len(segments) > 2 and segments[0] == "api":
        group, version, rest = "", segments[1], segments[2:]
    elif len(segments) > 3 and segments[0] == "apis":
        group, version, rest = segments[1], segments[2], segments[3:]
    else:
        raise no_such_resource()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _NAMESPACE_PARTS:
        namespace, rest = rest[1], rest[2:]
    resource = registry.find(group, version, rest[0])
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        raise no_such_resource()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if name and resource.namespaced and not namespace:
        raise no_such_resource()
    return Target(resource, version, namespace, name, subresource)
