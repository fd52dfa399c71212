"""One part of a compiled schema: what a value at this place may be and how it merges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rouse.embedded.apiserver.schema.checks import compile_check
from rouse.embedded.apiserver.schema.findings import Check

__all__ = ["Node", "Raw"]

Raw = Mapping[str, Any]
"""A schema as it is written: a JSON object with ``type``, ``properties`` and so on."""

_REF_PREFIX = "#/definitions/"
_NO_RAW: Raw = {}


class Node:
    """A schema part, compiled once; its children are compiled when a value first reaches them.

    Laziness matters: the largest published CRDs hold tens of thousands of parts, and an object
    touches a few hundred.
    """

    __slots__ = (
        "_check",
        "_children",
        "_definitions",
        "_items",
        "_raw_properties",
        "additional",
        "closed",
        "defaults",
        "embedded",
        "int_or_string",
        "list_map_keys",
        "list_type",
        "map_type",
        "merge_key",
        "nullable",
        "patch_strategy",
        "preserve",
        "raw",
        "tolerant",
        "type",
    )

    def __init__(
        self, raw: Raw, definitions: Mapping[str, Raw] = _NO_RAW, *, tolerant: bool = False
    ) -> None:
        raw = _resolved(raw, definitions)
        self.raw = raw
        self._definitions = definitions
        self.tolerant = tolerant
        """Whether fields that the schema does not name are kept everywhere."""
        self.type: str = raw.get("type", "")
        self.nullable = bool(raw.get("nullable"))
        self.preserve = bool(raw.get("x-kubernetes-preserve-unknown-fields"))
        self.embedded = bool(raw.get("x-kubernetes-embedded-resource"))
        self.int_or_string = bool(raw.get("x-kubernetes-int-or-string"))
        self.list_type: str = raw.get("x-kubernetes-list-type", "atomic")
        self.list_map_keys: tuple[str, ...] = tuple(raw.get("x-kubernetes-list-map-keys", ()))
        self.map_type: str = raw.get("x-kubernetes-map-type", "granular")
        self.merge_key: str = raw.get("x-kubernetes-patch-merge-key", "")
        self.patch_strategy: tuple[str, ...] = tuple(
            part for part in raw.get("x-kubernetes-patch-strategy", "").split(",") if part
        )
        self._raw_properties: Raw = raw.get("properties") or _NO_RAW
        self._children: dict[str, Node] = {}
        additional = raw.get("additionalProperties")
        self.additional: Node | None = (
            self.part(additional) if isinstance(additional, Mapping) else None
        )
        # Only a part that names its fields can call another one unknown.
        self.closed = not (tolerant or self.preserve or additional) and (
            self.type == "object" or bool(self._raw_properties)
        )
        self._items: Node | None = None
        self._check: Check | None = None
        self.defaults: tuple[tuple[str, Any], ...] = tuple(
            (name, part["default"])
            for name, part in self._raw_properties.items()
            if "default" in part
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The declared fields."""
        return tuple(self._raw_properties)

    @property
    def items(self) -> Node | None:
        """The schema of a list's elements, None when the list does not say."""
        if self._items is None:
            raw = self.raw.get("items")
            if isinstance(raw, Mapping):
                self._items = self.part(raw)
        return self._items

    @property
    def check(self) -> Check:
        """Validates a value of this part, see `rouse.embedded.apiserver.schema.checks`."""
        if self._check is None:
            self._check = compile_check(self)
        return self._check

    def declares(self, name: str) -> bool:
        """Whether the field is named in ``properties`` (not merely allowed)."""
        return name in self._raw_properties

    def child(self, name: str) -> Node | None:
        """The schema of a field: declared, else additional, else None."""
        node = self._children.get(name)
        if node is not None:
            return node
        raw = self._raw_properties.get(name)
        if raw is None:
            return self.additional
        node = self._children[name] = self.part(raw)
        return node

    def part(self, raw: Raw) -> Node:
        """A sub-schema of this part, compiled in the same context."""
        return Node(raw, self._definitions, tolerant=self.tolerant)


def _resolved(raw: Raw, definitions: Mapping[str, Raw]) -> Raw:
    """The schema with its reference replaced by what it names; siblings of the reference win."""
    ref = raw.get("$ref")
    if ref is None:
        return raw
    target = definitions[ref.removeprefix(_REF_PREFIX)]
    return {**target, **{key: value for key, value in raw.items() if key != "$ref"}}
