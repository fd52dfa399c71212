"""Admission of webhook configurations: what this server would not do as it is told."""

from __future__ import annotations

from rouse.embedded.apiserver.admission import Operation
from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.webhooks import GROUP, findings
from rouse.errors import ValidationError

__all__ = ["webhook_admission"]


def webhook_admission(
    _operation: Operation, obj: Object, _old: Object | None, resource: Resource
) -> Object:
    """Refuse webhooks by URL that could not be asked, or would be asked too much."""
    if resource.group == GROUP and (found := findings(obj)):
        raise ValidationError(resource.kind, obj["metadata"].get("name", ""), found)
    return obj
