"""The ``managedFields`` list as managers and their field sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rouse.embedded.apiserver.managedfields.fieldset import FieldSet

__all__ = ["Entry", "Managers", "decode", "encode"]

Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one manager owns by one kind of operation; ``time`` is when that last changed."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    fields: FieldSet
    time: str = ""

    @property
    def key(self) -> Key:
        """Whose entry it is. An applier is the same in every version: it applies it all again."""
        version = "" if self.operation == "Apply" else self.api_version
        return (self.manager, self.operation, version, self.subresource)

    @property
    def description(self) -> str:
        """The manager as a conflict names it."""
        through = f' with subresource "{self.subresource}"' if self.subresource else ""
        using = f" using {self.api_version}" if self.operation == "Update" else ""
        return f'"{self.manager}"{through}{using}'

    def owning(self, fields: FieldSet) -> Entry:
        """The same entry with another set."""
        return self if fields == self.fields else replace(self, fields=fields)


Managers = dict[Key, Entry]


def decode(managed: Iterable[Mapping[str, Any]]) -> Managers:
    """The managers of a ``managedFields`` list; entries without fields are dropped."""
    out: Managers = {}
    for each in managed:
        fields = each.get("fieldsV1")
        if fields:
            entry = Entry(
                each.get("manager", ""),
                each.get("operation", "Update"),
                each.get("apiVersion", ""),
                each.get("subresource", ""),
                fields,
                each.get("time", ""),
            )
            out[entry.key] = entry
    return out


def encode(managers: Managers) -> list[dict[str, Any]]:
    """The ``managedFields`` list: appliers first, then by time, then by name."""
    entries = sorted(
        (entry for entry in managers.values() if entry.fields),
        key=lambda entry: (entry.operation, entry.time, *entry.key),
    )
    return [_encoded(entry) for entry in entries]


def _encoded(entry: Entry) -> dict[str, Any]:
    out: dict[str, Any] = {
        "manager": entry.manager,
        "operation": entry.operation,
        "apiVersion": entry.api_version,
        "time": entry.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields,
    }
    if entry.subresource:
        out["subresource"] = entry.subresource
    return out
