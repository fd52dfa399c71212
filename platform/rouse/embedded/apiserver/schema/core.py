"""A schema as the API server uses it: validate, prune, default, suggest."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from rouse.embedded.apiserver.schema.builtin import builtin_definition_name, builtin_definitions
from rouse.embedded.apiserver.schema.builtin.meta import OBJECT_META
from rouse.embedded.apiserver.schema.defaults import apply_defaults
from rouse.embedded.apiserver.schema.node import Node, Raw
from rouse.embedded.apiserver.schema.pruning import prune
from rouse.errors import FieldError

__all__ = ["Schema", "nearest", "schema_for_builtin"]

_ANYTHING: Raw = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_TEXT: Raw = {"type": "string"}


class Schema:
    """The schema of one version of a kind.

    ``open_api_v3_schema`` is the structural schema of a CRD version, or None for a kind that
    allows everything; ``definitions`` holds what its ``$ref`` name; ``tolerant`` keeps unknown
    fields wherever they are. ``apiVersion``, ``kind`` and
    the fields of ``metadata`` are always known. Validation rules in CEL
    (``x-kubernetes-validations``) are not evaluated: they are accepted and ignored.
    """

    def __init__(
        self,
        open_api_v3_schema: Raw | None,
        *,
        definitions: Mapping[str, Raw] | None = None,
        tolerant: bool = False,
    ) -> None:
        self.raw: Raw = open_api_v3_schema if open_api_v3_schema is not None else _ANYTHING
        self.root = Node(_with_identity(self.raw), definitions or {}, tolerant=tolerant)

    def validate(self, obj: dict[str, Any]) -> list[FieldError]:
        """Every finding, in the words of the Kubernetes API; empty when the object is good."""
        findings = self.root.check(obj)
        return [finding.error() for finding in findings] if findings else []

    def prune(self, obj: dict[str, Any]) -> list[str]:
        """Remove unknown fields in place; their paths, such as ``spec.predictor.foo``."""
        return prune(obj, self.root)

    def default(self, obj: dict[str, Any]) -> None:
        """Fill in declared defaults in place; a null where null is not allowed counts as absent."""
        apply_defaults(obj, self.root)

    def suggest(self, path: str) -> str:
        """The known field that an unknown one (a path of `prune`) was probably meant to be,
        or an empty text."""
        *parents, field = path.replace("[", ".[").split(".")
        node: Node | None = self.root
        for step in parents:
            if node is None:
                return ""
            node = node.items if step.startswith("[") else node.child(step)
        return nearest(field, node.names) if node is not None else ""


def nearest(field: str, allowed: Iterable[str]) -> str:
    """The allowed name most like the given one, or an empty text when none is close."""
    folded = {name.lower(): name for name in allowed}
    close = difflib.get_close_matches(field.lower(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


@cache
def schema_for_builtin(group: str, kind: str) -> Schema:
    """The schema of a built-in kind: what is described is checked, what is not is kept."""
    name = builtin_definition_name(group, kind)
    if not name:
        return Schema(None)
    definitions = builtin_definitions()
    return Schema(definitions[name], definitions=definitions, tolerant=True)


def _with_identity(raw: Raw) -> Raw:
    """The schema of a whole object: what it says, and what every object has."""
    if "$ref" in raw:
        return raw
    properties = raw.get("properties") or {}
    metadata = properties.get("metadata") or {}
    known = {**OBJECT_META["properties"], **(metadata.get("properties") or {})}
    return {
        **raw,
        "properties": {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            **properties,
            "metadata": {**OBJECT_META, **metadata, "properties": known},
        },
    }
