"""Rules for names: what may stand in a path."""

from __future__ import annotations

import re

from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.resources import Resource
from rouse.errors import FieldError

__all__ = ["check_labels", "check_name", "check_owners"]

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_QUALIFIED = re.compile(
    r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)

_DNS_LABELS = frozenset({"/namespaces", "/services"})

_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com')"
)
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name')"
)


def check_name(resource: Resource, name: str) -> list[FieldError]:
    """What is wrong with ``metadata.name`` of a new object."""
    if resource.group == "rbac.authorization.k8s.io":
        bad = name in {".", ".."} or "/" in name or "%" in name
        rule, limit = "may not be '.' or '..' nor contain '/' or '%'", 253
    elif resource.bucket in _DNS_LABELS:
        bad, rule, limit = not _LABEL.match(name), _LABEL_RULE, 63
    else:
        bad, rule, limit = not _SUBDOMAIN.match(name), _SUBDOMAIN_RULE, 253
    if bad:
        return [FieldError("metadata.name", f'Invalid value: "{name}": {rule}')]
    if len(name) > limit:
        told = f'Invalid value: "{name}": must be no more than {limit} characters'
        return [FieldError("metadata.name", told)]
    return []


def check_labels(metadata: Object) -> list[FieldError]:
    """What is wrong with the labels and the names of annotations."""
    found = []
    for name, value in (metadata.get("labels") or {}).items():
        if not _QUALIFIED.match(name):
            found.append(FieldError("metadata.labels", f'Invalid value: "{name}": not a name'))
        if len(value) > 63 or not _VALUE.match(value):
            told = (
                f'Invalid value: "{value}": a label value has at most 63 alphanumeric characters, '
                "'-', '_' or '.', and starts and ends with an alphanumeric character"
            )
            found.append(FieldError(f"metadata.labels[{name}]", told))
    for name in metadata.get("annotations") or {}:
        if not _QUALIFIED.match(name.lower()):
            told = f'Invalid value: "{name}": not a name'
            found.append(FieldError("metadata.annotations", told))
    return found


def check_owners(metadata: Object) -> list[FieldError]:
    """What is wrong with the owner references: the collector relies on every uid."""
    found = []
    for number, owner in enumerate(metadata.get("ownerReferences") or ()):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not isinstance(owner.get(field), str) or not owner[field]:
                path = f"metadata.ownerReferences[{number}].{field}"
                found.append(FieldError(path, "Required value: must not be empty"))
    return found
