"""The operations of a resource, told the same way for both versions of the documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rouse.embedded.apiserver.openapi.definitions import is_described
from rouse.embedded.apiserver.openapi.resources import ResourceDescription

__all__ = ["Operation", "Parameter", "operations_of", "parameter_json"]

_JSON = "application/json"
_MERGE_PATCHES = ("application/json-patch+json", "application/merge-patch+json")
_STRATEGIC = "application/strategic-merge-patch+json"
_APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the query or the path."""

    name: str
    type: str
    description: str
    where: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; ``action`` is Kubernetes' word for it."""

    path: str
    method: str
    action: str
    parameters: tuple[Parameter, ...]
    body: bool
    consumes: tuple[str, ...]
    answer: str
    """Name of the definition that is answered."""
    identity: str


_NAME = Parameter("name", "string", "Name of the object.", "path")
_NAMESPACE = Parameter("namespace", "string", "Namespace of the object.", "path")
_WRITE = (
    Parameter("dryRun", "string", "All: do everything but store the result."),
    Parameter("fieldManager", "string", "Who is recorded as owner of the fields written."),
    Parameter("fieldValidation", "string", "Ignore, Warn or Strict about unknown fields."),
)
_FORCE = Parameter("force", "boolean", "Take fields that others own; apply only.")
_SELECT = (
    Parameter("labelSelector", "string", "Only objects with such labels."),
    Parameter("fieldSelector", "string", "Only objects with such fields."),
)
_LIST = (
    *_SELECT,
    Parameter("allowWatchBookmarks", "boolean", "Whether bookmarks may be sent."),
    Parameter("continue", "string", "Token of the part before."),
    Parameter("limit", "integer", "How many objects at most."),
    Parameter("resourceVersion", "string", "How old the answer may be."),
    Parameter("resourceVersionMatch", "string", "How that is meant."),
    Parameter("timeoutSeconds", "integer", "How long at most."),
    Parameter("watch", "boolean", "Go on with the changes."),
)
_DELETE = (
    Parameter("dryRun", "string", "All: do everything but delete."),
    Parameter("gracePeriodSeconds", "integer", "Seconds to end in good order."),
    Parameter("propagationPolicy", "string", "Orphan, Background or Foreground."),
)

_Methods = tuple[tuple[str, str, str, tuple[Parameter, ...]], ...]
"""Verb, HTTP method, Kubernetes' action and parameters of each."""

_ON_COLLECTION: _Methods = (
    ("list", "get", "list", _LIST),
    ("create", "post", "post", _WRITE),
    ("deletecollection", "delete", "deletecollection", (*_DELETE, *_SELECT)),
)
_ON_ITEM: _Methods = (
    ("get", "get", "get", ()),
    ("update", "put", "put", _WRITE),
    ("patch", "patch", "patch", (*_WRITE, _FORCE)),
    ("delete", "delete", "delete", _DELETE),
)
_READ_WRITE = ("get", "update", "patch")


def operations_of(resource: ResourceDescription) -> Iterator[Operation]:
    """The operations on the collection, on one object, and on its subresources."""
    scope = (_NAMESPACE,) if resource.namespaced else ()
    listed = f"{resource.definition}List"
    for verb, method, action, parameters in _ON_COLLECTION:
        if verb in resource.verbs:
            answer = listed if verb == "list" else resource.definition
            yield _operation(
                resource, resource.path, verb, method, action, (*scope, *parameters), answer
            )
    if resource.namespaced and "list" in resource.verbs:
        everywhere = resource.path.replace("/namespaces/{namespace}", "")
        yield _operation(resource, everywhere, "listAll", "get", "list", _LIST, listed)
    item = f"{resource.path}/{{name}}"
    paths = [(item, ""), *((f"{item}/{name}", name) for name in resource.subresources)]
    for path, subresource in paths:
        for verb, method, action, parameters in _ON_ITEM:
            if verb not in resource.verbs or (subresource and verb not in _READ_WRITE):
                continue
            yield _operation(
                resource,
                path,
                verb + subresource.capitalize(),
                method,
                action,
                (*scope, _NAME, *parameters),
                resource.definition,
            )


def _operation(
    resource: ResourceDescription,
    path: str,
    verb: str,
    method: str,
    action: str,
    parameters: tuple[Parameter, ...],
    answer: str,
) -> Operation:
    group = "".join(part.capitalize() for part in (resource.group or "core").split("."))
    return Operation(
        path,
        method,
        action,
        parameters,
        body=method in ("post", "put", "patch"),
        consumes=_patches(resource) if method == "patch" else (_JSON,),
        answer=answer,
        identity=f"{verb}{group}{resource.version.capitalize()}{resource.kind}",
    )


def _patches(resource: ResourceDescription) -> tuple[str, ...]:
    """The kinds of patch a client should think of. A strategic merge patch is offered where the
    fields and merge keys of the kind are described here: clients compute it from them."""
    strategic = resource.native and is_described(resource)
    return (*_MERGE_PATCHES, *((_STRATEGIC,) if strategic else ()), _APPLY)


def parameter_json(parameter: Parameter, version: int) -> dict[str, Any]:
    """A parameter as the documents of OpenAPI 2 or 3 write it."""
    out: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.description,
    }
    if parameter.where == "path":
        out["required"] = True
    if version == 2:
        out["type"] = parameter.type
    else:
        out["schema"] = {"type": parameter.type}
    return out
