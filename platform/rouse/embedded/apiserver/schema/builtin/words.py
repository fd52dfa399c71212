"""The vocabulary the built-in schemas are written in."""

from __future__ import annotations

from typing import Any

__all__ = [
    "array",
    "boolean",
    "conditions",
    "integer",
    "keyed",
    "mapping",
    "number",
    "part",
    "quantity",
    "ref",
    "text",
    "text_or_number",
    "texts",
    "time",
    "unordered",
]

Part = dict[str, Any]


def part(description: str, /, **properties: Part) -> Part:
    """An object with named fields; a trailing ``_`` of a name is dropped (``continue_``). Without
    fields it is an object whose insides are not described."""
    made: Part = {"description": description, "type": "object"}
    if properties:
        made["properties"] = {name.removesuffix("_"): value for name, value in properties.items()}
    return made


def ref(name: str, description: str = "") -> Part:
    """What a definition of that name says."""
    made: Part = {"$ref": f"#/definitions/{name}"}
    return {**made, "description": description} if description else made


def text(description: str, **more: Any) -> Part:
    """A string."""
    return {"description": description, "type": "string", **more}


def time(description: str) -> Part:
    """A moment, RFC 3339."""
    return text(description, format="date-time")


def quantity(description: str) -> Part:
    """An amount such as ``100m`` or ``2Gi``; a bare number is taken too."""
    return {**text_or_number(description), "format": "quantity"}


def text_or_number(description: str) -> Part:
    """A port or a percentage: an integer or a string."""
    return {"description": description, "x-kubernetes-int-or-string": True}


def integer(description: str, **more: Any) -> Part:
    """A whole number."""
    return {"description": description, "type": "integer", **more}


def number(description: str) -> Part:
    """A number."""
    return {"description": description, "type": "number"}


def boolean(description: str) -> Part:
    """A truth value."""
    return {"description": description, "type": "boolean"}


def mapping(description: str, values: Part | None = None, *, atomic: bool = False) -> Part:
    """An object with any keys, of strings unless said otherwise; each key has its own owner,
    or an atomic one is owned as a whole."""
    made: Part = {
        "description": description,
        "type": "object",
        "additionalProperties": {"type": "string"} if values is None else values,
    }
    return {**made, "x-kubernetes-map-type": "atomic"} if atomic else made


def array(description: str, items: Part | None = None) -> Part:
    """A list replaced as a whole."""
    made: Part = {"description": description, "type": "array", "x-kubernetes-list-type": "atomic"}
    return {**made, "items": items} if items else {**made, "items": part("")}


def texts(description: str) -> Part:
    """A list of strings replaced as a whole."""
    return array(description, {"type": "string"})


def unordered(description: str) -> Part:
    """A set of strings: each has its own owner, patches add to it."""
    return {
        "description": description,
        "type": "array",
        "items": {"type": "string"},
        "x-kubernetes-list-type": "set",
        "x-kubernetes-patch-strategy": "merge",
    }


def keyed(
    description: str, items: Part, *keys: str, merge_key: str = "", strategy: str = "merge"
) -> Part:
    """A list of objects told apart by keys. Strategic patches merge by ``merge_key``, the first
    key unless given."""
    return {
        "description": description,
        "type": "array",
        "items": items,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
        "x-kubernetes-patch-merge-key": merge_key or keys[0],
        "x-kubernetes-patch-strategy": strategy,
    }


def conditions(description: str = "What is true of it now, by type.") -> Part:
    """The usual list of conditions."""
    return keyed(
        description,
        part(
            "One observation: whether something holds, since when, and why.",
            type=text("What is observed, such as Ready."),
            status=text("True, False or Unknown."),
            reason=text("One word of reason."),
            message=text("The reason for people."),
            lastTransitionTime=time("When the status last changed."),
            lastUpdateTime=time("When it was last looked at."),
            observedGeneration=integer("Generation of the spec that was looked at."),
        ),
        "type",
    )
