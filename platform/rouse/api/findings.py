"""Reading an object into its type, and telling everything that is wrong with it at once.

Each finding names the field path, the value given, what is allowed and, for a typo, the nearest
field.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar, get_args

import pydantic
from pydantic_core import ErrorDetails

from rouse.api.base import Model, Object
from rouse.errors import FieldError, ValidationError

__all__ = ["examine", "load", "name_in", "path_of", "read"]

T = TypeVar("T", bound=Model)
Location = tuple[int | str, ...]

_TYPE_NAMES = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}

_LISTED_FIELDS = 12
_MAX_DEPTH = 12
_MAX_NESTING = 64
"""Levels no real object has; what copies and writes out an object stops at a few hundred."""


def load(cls: type[T], obj: Object) -> tuple[T | None, list[FieldError]]:
    """Read ``obj`` as ``cls``: the typed object where possible, and every finding.

    Offending fields are left out and the rest is read again, so that rules across fields can
    still be checked and reported together. None when what is left is no object of the kind.
    """
    if _is_too_deep(obj):
        return None, [FieldError("", f"is nested more than {_MAX_NESTING} levels deep")]
    try:
        return cls.model_validate(obj), []
    except pydantic.ValidationError as error:
        problems = error.errors(include_url=False)
    findings = [FieldError(path_of(p["loc"]), _message(cls, p)) for p in problems]
    rest = copy.deepcopy(obj)
    for _ in range(_MAX_DEPTH):
        _leave_out(rest, problems)
        try:
            return cls.model_validate(rest), findings
        except pydantic.ValidationError as error:
            problems = error.errors(include_url=False)
    return None, findings


def examine(
    cls: type[T], obj: Object, rules: Callable[[T], list[FieldError]]
) -> tuple[T | None, list[FieldError]]:
    """Read ``obj`` as `load` does and apply the rules of its kind: every finding of both."""
    typed, findings = load(cls, obj)
    if typed is None:
        return None, findings
    wrong = {finding.path for finding in findings}
    # A rule about what encloses a field of a wrong type only follows from leaving that field out.
    followed = [f for f in rules(typed) if not any(path.startswith(f.path) for path in wrong)]
    return typed, findings + followed


def read(cls: type[T], obj: Object) -> T:
    """Read ``obj`` as ``cls``.

    Raises ValidationError with every finding about fields and their types.
    """
    typed, findings = load(cls, obj)
    if typed is None or findings:
        raise ValidationError(cls.__name__, name_in(obj), findings)
    return typed


def name_in(obj: Object) -> str:
    """Return metadata.name of an object that may be malformed; empty when there is none."""
    metadata = obj.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _is_too_deep(obj: Object) -> bool:
    level: list[object] = [obj]
    for _ in range(_MAX_NESTING):
        level = [inner for each in level for inner in _children(each)]
        if not level:
            return False
    return True


def _children(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def path_of(location: Sequence[int | str]) -> str:
    """Render a location as ``spec.predictor.containers[0].resources.limits[nvidia.com/gpu]``."""
    path = ""
    for part in location:
        if isinstance(part, str) and part.replace("_", "").isalnum():
            path += f".{part}" if path else part
        else:
            path += f"[{part}]"
    return path


def _leave_out(obj: Object, problems: Sequence[ErrorDetails]) -> None:
    """Take out of ``obj`` what the problems are about; what lacks a field goes as a whole."""
    locations = [p["loc"][:-1] if p["type"] == "missing" else p["loc"] for p in problems]
    # Last items first, so that taking one out of a list does not move those still to go.
    for location in sorted(locations, key=_order, reverse=True):
        if location:
            _drop(obj, location)


def _order(location: Location) -> list[str]:
    return [f"{part:09d}" if isinstance(part, int) else part for part in location]


def _drop(obj: Any, location: Location) -> None:
    for part in location[:-1]:
        try:
            obj = obj[part]
        except (KeyError, IndexError, TypeError):
            return
    last = location[-1]
    if isinstance(obj, dict):
        obj.pop(last, None)
    elif isinstance(obj, list) and isinstance(last, int) and last < len(obj):
        del obj[last]


def _message(root: type[Model], problem: ErrorDetails) -> str:
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return _unknown_field(root, problem["loc"])
    if kind in _TYPE_NAMES:
        return f"must be {_TYPE_NAMES[kind]}, not {_shown(given)}"
    if kind == "literal_error":
        return f"{_shown(given)} is not allowed; allowed: {_alternatives(context['expected'])}"
    if kind in _BOUNDS:
        return f"{_shown(given)} is out of range; {_BOUNDS[kind](context)}"
    if kind == "string_pattern_mismatch":
        return f"{_shown(given)} does not have the form {context['pattern']}"
    return problem["msg"]


_BOUNDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "greater_than_equal": lambda c: f"the least is {c['ge']}",
    "less_than_equal": lambda c: f"the most is {c['le']}",
    "string_too_short": lambda c: "it must not be empty",
    "too_short": lambda c: f"at least {c['min_length']} needed",
    "string_too_long": lambda c: f"at most {c['max_length']} characters are taken",
    "too_long": lambda c: f"at most {c['max_length']} are taken",
}


def _alternatives(expected: str) -> str:
    return expected.replace(" or ", ", ").replace("'", '"')


def _shown(value: object) -> str:
    """Describe a value of the user's YAML, short enough for one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, str):
        return f'"{value if len(value) <= 60 else value[:57] + "..."}"'
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return str(value)


def _unknown_field(root: type[Model], location: Location) -> str:
    name = str(location[-1])
    owner = _model_at(root, location[:-1])
    if owner is None:
        return "unknown field"
    if name in owner.gone:
        return owner.gone[name]
    allowed = _fields(owner)
    near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.7) or [
        field for field in allowed if field.lower() == name.lower()
    ]
    if near:
        return f'unknown field; did you mean "{near[0]}"?'
    elsewhere = next(_places(root, location, name), None)
    if elsewhere is not None:
        return f"unknown field here; did you mean {path_of(elsewhere)}?"
    listed = ", ".join(sorted(allowed)[:_LISTED_FIELDS])
    more = ", ..." if len(allowed) > _LISTED_FIELDS else ""
    return f"unknown field; allowed here: {listed}{more}"


def _places(root: type[Model], location: Location, name: str) -> Iterator[Location]:
    """Where else near ``location`` the field exists: one level up, then one level down."""
    above = location[:-2]
    parent = _model_at(root, above)
    if len(location) > 1 and parent is not None and name in _fields(parent):
        yield (*above, name)
    for child, model in _fields(_model_at(root, location[:-1]) or root).items():
        if model is not None and name in _fields(model):
            yield (*location[:-1], child, name)


def _model_at(root: type[Model], location: Sequence[int | str]) -> type[Model] | None:
    model: type[Model] | None = root
    for part in location:
        if isinstance(part, str):
            model = _fields(model).get(part) if model is not None else None
    return model


@cache
def _fields(model: type[Model]) -> dict[str, type[Model] | None]:
    """Return the fields as written in YAML, each with the model it holds (None for a scalar)."""
    return {
        field.alias or name: _model_in(field.annotation)
        for name, field in model.model_fields.items()
    }


def _model_in(annotation: object) -> type[Model] | None:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
