"""Requests to the Kubernetes API, built purely; `rouse.kube.client` sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from rouse.errors import InvalidError
from rouse.kube.objects import key_of
from rouse.kube.resources import Resource, resource_of

__all__ = [
    "ApiRequest",
    "PatchKind",
    "apply",
    "create",
    "delete",
    "get",
    "list_",
    "patch",
    "replace",
    "watch",
]


class PatchKind(StrEnum):
    """The media type that says how a patch is to be read."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request: everything but the server and the credentials."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    many: bool = False
    """Whether it reads a collection."""

    @property
    def verb(self) -> str:
        """The API's word for it, as in RBAC; server-side apply, a kind of patch, is ``apply``."""
        if self.method == "GET":
            return "watch" if "watch" in self.params else "list" if self.many else "get"
        if self.content_type == PatchKind.APPLY:
            return "apply"
        return _VERBS[self.method]

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice has the effect of sending it once."""
        return self.method == "GET" or self.content_type == PatchKind.APPLY

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _params(**params: str | int | bool | None) -> dict[str, str]:
    words = {True: "true", False: "false"}
    return {
        name: words[value] if isinstance(value, bool) else str(value)
        for name, value in params.items()
        if value not in (None, "")
    }


def _target(obj: Mapping[str, Any], subresource: str | None = None) -> str:
    key = key_of(obj)
    return resource_of(obj).path(key.namespace, key.name, subresource)


def get(resource: Resource, name: str, namespace: str | None = None) -> ApiRequest:
    """Read one object."""
    return ApiRequest("GET", resource.path(namespace, name))


def list_(
    resource: Resource,
    namespace: str | None = None,
    *,
    labels: str | None = None,
    fields: str | None = None,
    limit: int | None = None,
    continue_: str | None = None,
) -> ApiRequest:
    """Read a page of a collection; ``labels`` and ``fields`` are selectors."""
    params = _params(labelSelector=labels, fieldSelector=fields, limit=limit)
    params |= _params(**{"continue": continue_})
    return ApiRequest("GET", resource.path(namespace), params, many=True)


def watch(
    resource: Resource,
    namespace: str | None = None,
    *,
    resource_version: str,
    timeout_s: int,
    labels: str | None = None,
    fields: str | None = None,
) -> ApiRequest:
    """Follow a collection from a resourceVersion, with bookmarks, until the server ends it."""
    params = _params(
        watch=True,
        allowWatchBookmarks=True,
        resourceVersion=resource_version,
        timeoutSeconds=timeout_s,
        labelSelector=labels,
        fieldSelector=fields,
    )
    return ApiRequest("GET", resource.path(namespace), params, many=True)


def create(obj: Mapping[str, Any], *, field_manager: str) -> ApiRequest:
    """Create an object; with ``metadata.generateName`` the API names it."""
    resource = resource_of(obj)
    namespace = obj["metadata"].get("namespace")
    if resource.namespaced and not namespace:
        name = obj["metadata"].get("name", "")
        message = f'{resource.kind} "{name}" needs a namespace: set metadata.namespace'
        raise InvalidError(message)
    return ApiRequest(
        "POST",
        resource.path(namespace),
        _params(fieldManager=field_manager),
        orjson.dumps(obj),
    )


def replace(
    obj: Mapping[str, Any], *, field_manager: str, subresource: str | None = None
) -> ApiRequest:
    """Write the whole object; its resourceVersion, if any, must still be the newest."""
    return ApiRequest(
        "PUT", _target(obj, subresource), _params(fieldManager=field_manager), orjson.dumps(obj)
    )


def apply(
    obj: Mapping[str, Any],
    *,
    field_manager: str,
    force: bool = True,
    subresource: str | None = None,
    dry_run: bool = False,
) -> ApiRequest:
    """Server-side apply: own exactly these fields, create the object if it is not there.

    With ``dry_run`` the API does everything but store the result.
    """
    return ApiRequest(
        "PATCH",
        _target(obj, subresource),
        _params(fieldManager=field_manager, force=force, dryRun="All" if dry_run else None),
        orjson.dumps(obj),
        PatchKind.APPLY,
    )


def patch(
    resource: Resource,
    name: str,
    body: Any,
    *,
    namespace: str | None = None,
    kind: PatchKind = PatchKind.MERGE,
    field_manager: str,
    subresource: str | None = None,
) -> ApiRequest:
    """Change one object by a merge, strategic merge or JSON patch."""
    return ApiRequest(
        "PATCH",
        resource.path(namespace, name, subresource),
        _params(fieldManager=field_manager),
        orjson.dumps(body),
        kind,
    )


def delete(
    resource: Resource,
    name: str,
    namespace: str | None = None,
    *,
    propagation: str = "Background",
    uid: str | None = None,
    grace_seconds: int | None = None,
) -> ApiRequest:
    """Delete one object; with ``uid`` only if it is still that very object."""
    options: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": propagation,
    }
    if uid:
        options["preconditions"] = {"uid": uid}
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    return ApiRequest("DELETE", resource.path(namespace, name), content=orjson.dumps(options))
