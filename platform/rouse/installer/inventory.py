"""What is installed, as the ConfigMap ``rouse-inventory`` remembers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from rouse.compiler.config import CONFIG_NAMESPACE
from rouse.errors import ConfigError
from rouse.installer.policy import Policy, policy_of
from rouse.kube.objects import Object

__all__ = ["INVENTORY", "Entry", "Inventory", "entry_of"]

INVENTORY: Final = "rouse-inventory"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One installed object."""

    api_version: str
    kind: str
    namespace: str
    name: str
    policy: Policy = Policy.OWN
    created: bool = True
    """Whether the installer made it; else it was there before."""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Return group, kind, namespace, name: the same object at any version."""
        return self.api_version.rpartition("/")[0], self.kind, self.namespace, self.name

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


def entry_of(obj: Mapping[str, Any], *, created: bool = True) -> Entry:
    """Return the entry of an object."""
    metadata = obj["metadata"]
    return Entry(
        obj["apiVersion"],
        obj["kind"],
        metadata.get("namespace", ""),
        metadata["name"],
        policy_of(obj),
        created,
    )


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything installed, by which version of Rouse and from which overlay."""

    version: str = ""
    overlay: str = ""
    entries: tuple[Entry, ...] = ()
    options: str = ""
    """Those of `rouse install` that bring the same again, for a shell."""

    @property
    def command(self) -> str:
        """The command that brings this installation to the version of the program."""
        return f"rouse install {self.options or f'--overlay {self.overlay}'}"

    @classmethod
    def read(cls, config_map: Mapping[str, Any]) -> Inventory:
        """Read the ConfigMap; raises ConfigError when it is not one of ours."""
        data = config_map.get("data") or {}
        try:
            entries = [
                Entry(
                    each["apiVersion"],
                    each["kind"],
                    each["namespace"],
                    each["name"],
                    Policy(each["policy"]),
                    bool(each["created"]),
                )
                for each in orjson.loads(data["entries"])
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"ConfigMap {INVENTORY} cannot be read ({error}); delete it, and install again"
            ) from error
        said = (data.get(each, "") for each in ("version", "overlay", "options"))
        version, overlay, options = said
        return cls(version, overlay, tuple(entries), options)

    def to_config_map(self) -> Object:
        """Return the ConfigMap; equal inventories give equal ones."""
        listed = [
            {
                "apiVersion": each.api_version,
                "kind": each.kind,
                "namespace": each.namespace,
                "name": each.name,
                "policy": each.policy.value,
                "created": each.created,
            }
            for each in sorted(self.entries)
        ]
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": INVENTORY,
                "namespace": CONFIG_NAMESPACE,
                "labels": {"app.kubernetes.io/part-of": "rouse"},
            },
            "data": {
                "version": self.version,
                "overlay": self.overlay,
                "options": self.options,
                "entries": orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode(),
            },
        }

    def knows(self, entry: Entry) -> Entry | None:
        """Return the entry of the same object."""
        return next((each for each in self.entries if each.identity == entry.identity), None)

    def stale(self, wanted: Iterable[Entry]) -> list[Entry]:
        """Return the entries of objects that are no longer wanted."""
        kept = {each.identity for each in wanted}
        return [each for each in self.entries if each.identity not in kept]

    def with_entries(self, more: Iterable[Entry]) -> Inventory:
        """Return the inventory with these entries too; those known stay as they are."""
        known = {each.identity for each in self.entries}
        fresh = [each for each in more if each.identity not in known]
        return replace(self, entries=(*self.entries, *fresh))
