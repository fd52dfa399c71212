"""What a kind or a field of it means, out of the types that validate it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rouse.api.crds import GROUP
from rouse.api.definitions import DEFINITIONS, Definition
from rouse.api.schema import structural_schema
from rouse.errors import InvalidError
from rouse.kube.objects import Object

__all__ = ["Explanation", "Field", "explain", "known_kinds"]

_INDEX = re.compile(r"\[[^\]]*\]")
_BOUNDS = {
    "minimum": "the least is {}",
    "maximum": "the most is {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "must match {}",
}
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Field:
    """A field inside the one explained."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that the types say about one place of a kind."""

    kind: str
    api_version: str
    path: str
    """Empty for the kind itself."""
    type: str
    description: str
    required: bool = False
    allowed: tuple[str, ...] = ()
    default: str = ""
    bounds: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    open: bool = False
    """Whether fields that are not listed pass as they are."""


def known_kinds() -> list[tuple[str, str, str, str]]:
    """Return kind, version, names for the command line, and description of every kind."""
    return [
        (
            each.kind,
            f"{GROUP}/{each.version}",
            ", ".join(_names(each)[1:-1]),
            _description(structural_schema(each.model)),
        )
        for each in DEFINITIONS
    ]


def explain(path: str) -> Explanation:
    """Explain ``isvc``, ``isvc.spec.predictor`` and so on; places in lists may be left out.

    Raises InvalidError that names the nearest kind or field.
    """
    first, *parts = _INDEX.sub("", path).split(".")
    definition = _definition(first)
    schema = structural_schema(definition.model)
    if definition.status is not None:
        schema["properties"]["status"] = structural_schema(definition.status)
    required = False
    walked: list[str] = []
    for part in parts:
        inner = _inner(schema)
        where = ".".join([definition.kind, *walked])
        required = part in inner.get("required", ())
        schema = _field(inner, part, where)
        walked.append(part)
    return _explained(definition, ".".join(walked), schema, required)


def _explained(definition: Definition, path: str, schema: Object, required: bool) -> Explanation:
    inner = _inner(schema)
    needed = inner.get("required", ())
    return Explanation(
        kind=definition.kind,
        api_version=f"{GROUP}/{definition.version}",
        path=path,
        type=_type(schema),
        description=_description(schema) or _description(inner),
        required=required,
        allowed=tuple(map(str, inner.get("enum", ()))),
        default=str(schema["default"]) if schema.get("default") not in (None, "") else "",
        bounds=tuple(text.format(inner[key]) for key, text in _BOUNDS.items() if key in inner),
        fields=tuple(
            Field(name, _type(each), name in needed, _description(each))
            for name, each in sorted(inner.get("properties", {}).items())
        ),
        open=bool(inner.get("x-kubernetes-preserve-unknown-fields")),
    )


def _inner(schema: Object) -> Object:
    """Return what a list or a map holds; the schema itself for anything else."""
    while True:
        within = schema.get("items") or schema.get("additionalProperties")
        if not isinstance(within, dict):
            return schema
        schema = within


def _field(schema: Object, name: str, where: str) -> Object:
    properties: Object = schema.get("properties", {})
    if name in properties:
        found: Object = properties[name]
        return found
    if not properties:
        passed = schema.get("x-kubernetes-preserve-unknown-fields")
        why = "is passed on as it is, and not described here" if passed else "has no fields"
        raise InvalidError(f'{where} ({_type(schema)}) {why}: there is no "{name}" to explain')
    raise InvalidError(f'{where} has no field "{name}"; {_nearest(name, properties)}')


def _definition(name: str) -> Definition:
    known = {each: definition for definition in DEFINITIONS for each in _names(definition)}
    by_lower = {each.lower(): definition for each, definition in known.items()}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    kinds = [each.kind.lower() for each in DEFINITIONS]
    short = [each for definition in DEFINITIONS for each in definition.short_names]
    near = _nearest(name.lower(), [*kinds, *short])
    raise InvalidError(f'there is no kind "{name}" in {GROUP}; {near}')


def _names(definition: Definition) -> list[str]:
    singular = definition.kind.lower()
    return [definition.kind, *definition.short_names, f"{singular}s", singular]


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6) or [
        each for each in names if name.lower() in each.lower()
    ]
    if near:
        return f"did you mean {' or '.join(near)}?"
    more = ", ..." if len(names) > _LISTED else ""
    return f"there are: {', '.join(names[:_LISTED])}{more}"


def _type(schema: Object) -> str:
    return "".join(_type_parts(schema))


def _type_parts(schema: Object) -> Iterator[str]:
    if schema.get("x-kubernetes-int-or-string"):
        yield "integer or string"
    elif isinstance(schema.get("items"), dict):
        yield from ("list of ", _type(schema["items"]))
    elif isinstance(schema.get("additionalProperties"), dict):
        yield from ("map of ", _type(schema["additionalProperties"]))
    else:
        yield str(schema.get("type", "anything"))


def _description(schema: Object) -> str:
    return str(schema.get("description", ""))
