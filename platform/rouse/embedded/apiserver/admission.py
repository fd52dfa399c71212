"""Admission: what may change or refuse an object after its shape was checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from rouse.embedded.apiserver.errors import Object, bad_request, invalid
from rouse.embedded.apiserver.resources import Resource
from rouse.errors import InvalidError, ValidationError

__all__ = ["Operation", "Plugin", "admit"]

Operation = Literal["CREATE", "UPDATE"]

Plugin = Callable[[Operation, Object, "Object | None", Resource], Object]
"""(operation, object, old object, resource) -> the object to store; raises ValidationError."""


def admit(
    plugins: Sequence[Plugin],
    operation: Operation,
    obj: Object,
    old: Object | None,
    resource: Resource,
) -> Object:
    """Run every plugin in order; a ValidationError becomes 422 with its causes."""
    for plugin in plugins:
        try:
            obj = plugin(operation, obj, old, resource)
        except ValidationError as error:
            name = obj["metadata"].get("name", "")
            raise invalid(resource.group, resource.kind, name, error.errors) from error
        except InvalidError as error:
            raise bad_request(str(error)) from error
    return obj
