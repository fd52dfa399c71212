"""Label and field selectors, and the fields each kind lets itself be selected by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from rouse.embedded.apiserver.errors import Object, bad_request
from rouse.embedded.apiserver.records import Record

__all__ = ["Selector", "selectable_fields", "selector"]

Match = Callable[[Mapping[str, str]], bool]

_SET = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^()]*)\)$")
_TERM = re.compile(r"\s*((?:[^,()]|\([^()]*\))*)\s*(?:,|$)")
_KEY = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$")

_NONE: Mapping[str, str] = {}

_PATHS: Mapping[str, tuple[str, ...]] = {
    "/pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "/events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "/secrets": ("type",),
    "/namespaces": ("status.phase",),
    "/nodes": ("spec.unschedulable",),
    "apps/replicasets": ("status.replicas",),
    "batch/jobs": ("status.successful",),
}


class Selector:
    """A compiled pair of selectors; ``matches(record)`` is the whole of it."""

    __slots__ = ("_fields", "_labels", "empty", "name")

    def __init__(self, labels: tuple[Match, ...], fields: tuple[Match, ...], name: str) -> None:
        self._labels = labels
        self._fields = fields
        self.name = name
        """The one name a field selector asks for, or empty."""
        self.empty = not labels and not fields

    def matches(self, record: Record) -> bool:
        """Whether the object's labels and fields satisfy every requirement."""
        if self.empty:
            return True
        for match in self._labels:
            if not match(record.labels):
                return False
        if self._fields:
            fields = {
                "metadata.name": record.key.name,
                "metadata.namespace": record.key.namespace,
                **record.fields,
            }
            return all(match(fields) for match in self._fields)
        return True


@lru_cache(maxsize=512)
def selector(bucket: str, labels: str, fields: str) -> Selector:
    """Compile the two query parameters; 400 when one cannot be understood."""
    requirements = tuple(_label_requirement(term, labels) for term in _terms(labels))
    matches = []
    name = ""
    known = ("metadata.name", "metadata.namespace", *_PATHS.get(bucket, ()))
    for term in _terms(fields):
        path, operator, value = _equality(term, fields)
        if path not in known:
            raise bad_request(
                f'field label not supported: "{path}"; this resource knows {", ".join(known)}'
            )
        if path == "metadata.name" and operator == "=":
            name = value
        matches.append(_equals(path, value, operator == "="))
    return Selector(requirements, tuple(matches), name)


def selectable_fields(bucket: str, obj: Object) -> Mapping[str, str]:
    """The values of an object a field selector may ask for; absent ones are empty strings."""
    paths = _PATHS.get(bucket)
    if paths is None:
        return _NONE
    return {path: _at(obj, path) for path in paths}


def _at(obj: Object, path: str) -> str:
    value: object = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        value = value.get("component")
    return "" if value is None else str(value)


def _terms(text: str) -> list[str]:
    terms = []
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None or found.end() == at:
            raise bad_request(f"unable to parse selector {text!r}")
        terms.append(found.group(1).strip())
        at = found.end()
    return [term for term in terms if term]


def _label_requirement(term: str, whole: str) -> Match:
    found = _SET.match(term)
    if found:
        key, operator, listed = found.groups()
        values = frozenset(value.strip() for value in listed.split(","))
        _check_key(key, whole)
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    for sign in (">", "<"):
        if sign in term:
            return _compared(term, sign, whole)
    if "=" not in term:
        absent = term.startswith("!")
        key = term.lstrip("!").strip()
        _check_key(key, whole)
        return lambda labels: (key in labels) != absent
    key, operator, value = _equality(term, whole)
    _check_key(key, whole)
    return _equals(key, value, operator == "=")


def _compared(term: str, sign: str, whole: str) -> Match:
    key, _, text = (part.strip() for part in term.partition(sign))
    _check_key(key, whole)
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise bad_request(f"unable to parse selector {whole!r}: {text!r} is not a whole number")
    bound = int(text)

    def match(labels: Mapping[str, str]) -> bool:
        value = labels.get(key, "")
        if not re.fullmatch(r"-?\d{1,18}", value):
            return False
        return int(value) > bound if sign == ">" else int(value) < bound

    return match


def _equality(term: str, whole: str) -> tuple[str, str, str]:
    for sign, operator in (("!=", "!="), ("==", "="), ("=", "=")):
        key, found, value = term.partition(sign)
        if found:
            return key.strip(), operator, value.strip()
    raise bad_request(f"unable to parse selector {whole!r}: {term!r} has no operator")


def _equals(key: str, value: str, wanted: bool) -> Match:
    if wanted:
        return lambda found: found.get(key) == value
    return lambda found: found.get(key) != value


def _check_key(key: str, whole: str) -> None:
    if not _KEY.match(key):
        raise bad_request(f"unable to parse selector {whole!r}: {key!r} is not a label key")
