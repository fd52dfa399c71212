"""Structural OpenAPI schemas, as CustomResourceDefinitions want them, from the types.

Pydantic's JSON schema is resolved into one tree without ``$ref``, ``anyOf`` for null, titles and
defaults; the docstrings under the fields become descriptions, and
`rouse.api.descriptions` says the rest.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
import textwrap
from functools import cache
from typing import Any

from rouse.api.base import Model, Object
from rouse.api.descriptions import described

__all__ = ["structural_schema"]

_KEPT = (
    "description",
    "type",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "pattern",
    "default",
    "required",
)


def structural_schema(model: type[Model]) -> Object:
    """Return the schema of a type: no references, closed objects, described fields."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    return _convert(schema, definitions, _models(model))


def _convert(schema: Object, definitions: Object, models: dict[str, type[Model]]) -> Object:
    schema = _resolve(schema, definitions)
    converted = {key: schema[key] for key in _KEPT if schema.get(key) is not None}
    converted |= {key: value for key, value in schema.items() if key.startswith("x-kubernetes-")}
    if "const" in schema:
        converted["enum"] = [schema["const"]]
    if schema.get("x-kubernetes-int-or-string"):
        converted["anyOf"] = schema["anyOf"]
        return converted
    if "description" in converted:
        converted["description"] = _one_line(converted["description"])
    if "properties" in schema:
        converted["properties"] = {
            name: _property(name, each, schema, definitions, models)
            for name, each in schema["properties"].items()
        }
    if isinstance(schema.get("additionalProperties"), dict):
        converted["additionalProperties"] = _convert(
            schema["additionalProperties"], definitions, models
        )
    elif schema.get("additionalProperties") is True:
        converted["x-kubernetes-preserve-unknown-fields"] = True
    if "items" in schema:
        converted["items"] = _convert(schema["items"], definitions, models)
    return converted


def _property(
    name: str, schema: Object, owner: Object, definitions: Object, models: dict[str, type[Model]]
) -> Object:
    converted = _convert(schema, definitions, models)
    model = models.get(owner.get("title", ""))
    if model is not None:
        text = _docstrings(model).get(name) or converted.get("description")
        text = text or described(model, name)
        if text:
            converted["description"] = text
    return dict(sorted(converted.items()))


def _resolve(schema: Object, definitions: Object) -> Object:
    """Follow a reference and drop the null of an optional field."""
    alternatives = schema.get("anyOf")
    if alternatives and not schema.get("x-kubernetes-int-or-string"):
        [only] = [each for each in alternatives if each.get("type") != "null"]
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        # A default of null is pydantic's word for optional; any other is meant.
        if schema.get("default") is not None:
            rest["default"] = schema["default"]
        return _resolve({**only, **rest}, definitions)
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return _resolve({**target, **{k: v for k, v in schema.items() if k != "$ref"}}, definitions)
    return schema


def _models(root: type[Model]) -> dict[str, type[Model]]:
    """Return every model type by its title, the root's own and those of its bases included."""
    found: dict[str, type[Model]] = {}
    waiting: list[type[Model]] = [Model]
    while waiting:
        model = waiting.pop()
        found[model.__name__] = model
        waiting += model.__subclasses__()
    return {root.__name__: root, **found}


@cache
def _docstrings(model: type[Model]) -> dict[str, str]:
    """Return the docstring under each field, by its name on the wire, bases first."""
    texts: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, Model):
            for name, text in _documented(cls).items():
                alias = model.model_fields[name].alias if name in model.model_fields else None
                texts[alias or name] = text
    return texts


def _documented(cls: type[Model]) -> dict[str, str]:
    body = _class_bodies(cls.__module__).get(cls.__name__, [])
    documented = {}
    for field, text in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            documented[field.target.id] = _one_line(text.value.value)
    return documented


@cache
def _class_bodies(module: str) -> dict[str, list[ast.stmt]]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}


def _one_line(text: Any) -> str:
    return " ".join(textwrap.dedent(str(text)).split())
