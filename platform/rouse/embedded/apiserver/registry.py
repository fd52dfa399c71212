"""Which resources are served now: the built-in table and the CRDs in the store."""

from __future__ import annotations

from collections.abc import Iterable

from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.schema import Schema, schema_for_builtin
from rouse.embedded.apiserver.table import Column, Printer, printer_for

__all__ = ["Registry"]


class Registry:
    """Resources by (group, version, plural); changes when CRDs come and go."""

    def __init__(self, builtin: Iterable[Resource]) -> None:
        self._served: dict[tuple[str, str, str], Resource] = {}
        self._by_bucket: dict[str, Resource] = {}
        self._schemas: dict[tuple[str, str, str], Schema] = {}
        self._printers: dict[tuple[str, str, str], Printer] = {}
        self.generation = 0
        """Grows with every change, so that derived documents know when they are old."""
        self._builtin: set[tuple[str, str]] = set()
        for resource in builtin:
            self.add(resource)
            self._builtin.add((resource.group, resource.plural))

    def add(self, resource: Resource) -> None:
        """Serve a resource, replacing an earlier one of that group and plural.

        A definition of a built-in kind (someone applied Knative's own manifests) changes nothing.
        """
        if self.is_builtin(resource.group, resource.plural):
            return
        self.remove(resource.group, resource.plural)
        for version in resource.versions:
            self._served[resource.group, version, resource.plural] = resource
        self._by_bucket.setdefault(resource.bucket, resource)
        self.generation += 1

    def remove(self, group: str, plural: str) -> None:
        """Serve it no longer; built-in ones stay."""
        if self.is_builtin(group, plural):
            return
        gone = [key for key in self._served if key[0] == group and key[2] == plural]
        for key in gone:
            resource = self._served.pop(key)
            self._schemas.pop(key, None)
            self._printers.pop(key, None)
            if self._by_bucket.get(resource.bucket) is resource:
                del self._by_bucket[resource.bucket]
        self.generation += 1

    def is_builtin(self, group: str, plural: str) -> bool:
        """Whether it is served without a definition."""
        return (group, plural) in self._builtin

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource behind a path."""
        return self._served.get((group, version, plural))

    def of_bucket(self, bucket: str) -> Resource | None:
        """The resource that stores its objects there."""
        return self._by_bucket.get(bucket)

    def of_kind(self, group: str, kind: str) -> Resource | None:
        """The resource of a kind."""
        for (served_group, _, _), resource in self._served.items():
            if served_group == group and resource.kind == kind:
                return resource
        return None

    def resources(self) -> list[Resource]:
        """Every resource once, in the order they were added."""
        return list(dict.fromkeys(self._served.values()))

    def versions(self) -> dict[str, dict[str, list[Resource]]]:
        """group -> version -> its resources, in the order they were added."""
        tree: dict[str, dict[str, list[Resource]]] = {}
        for (group, version, _), resource in self._served.items():
            tree.setdefault(group, {}).setdefault(version, []).append(resource)
        return tree

    def schema(self, resource: Resource, version: str) -> Schema:
        """What objects of that version must look like."""
        key = (resource.group, version, resource.plural)
        found = self._schemas.get(key)
        if found is None:
            given = resource.schemas.get(version)
            found = (
                Schema(given)
                if given is not None
                else schema_for_builtin(resource.group, resource.kind)
            )
            self._schemas[key] = found
        return found

    def printer(self, resource: Resource, version: str) -> Printer:
        """The columns kubectl shows for that version."""
        key = (resource.group, version, resource.plural)
        found = self._printers.get(key)
        if found is None:
            declared = resource.columns.get(version)
            found = (
                printer_for(resource.group, resource.kind)
                if declared is None
                else Printer(_declared_columns(declared))
            )
            self._printers[key] = found
        return found


def _declared_columns(declared: tuple[dict[str, object], ...]) -> tuple[Column, ...]:
    columns = [Column("Name", "string", ".metadata.name", "name")]
    for each in declared:
        priority = each.get("priority", 0)
        columns.append(
            Column(
                str(each["name"]),
                str(each["type"]),
                str(each["jsonPath"]),
                str(each.get("format", "")),
                priority if isinstance(priority, int) else 0,
                str(each.get("description", "")),
            )
        )
    if not declared:
        columns.append(Column("Age", "date", ".metadata.creationTimestamp"))
    return tuple(columns)
