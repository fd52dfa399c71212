"""Reading settings: text to values, values to their types, and what is wrong in one message."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import pydantic
import yaml
from pydantic.alias_generators import to_camel

from rouse.api.findings import path_of
from rouse.errors import ConfigError, FieldError

__all__ = ["SettingsError", "check", "nearest", "parse_data", "parse_text", "read_values"]

_WANTED = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dataclass_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "mapping_type": "must be a mapping",
    "string_type": "must be text",
    "tuple_type": "must be a list",
}


class SettingsError(ConfigError):
    """A ConfigMap says what cannot be used; ``where`` names it, ``findings`` has every place."""

    def __init__(self, where: str, findings: Sequence[FieldError]) -> None:
        self.where = where
        self.findings = tuple(findings)
        super().__init__(f"{where}: {'; '.join(map(str, findings))}")


def check(where: str, findings: Sequence[FieldError]) -> None:
    """Raise SettingsError when there are findings; all are in its message."""
    if findings:
        raise SettingsError(where, findings)


def parse_data(data: Mapping[str, Any], cls: type) -> tuple[dict[str, Any], list[FieldError]]:
    """Read a ConfigMap's data: plain text for settings that are text, YAML for the others."""
    values: dict[str, Any] = {}
    findings: list[FieldError] = []
    hints = {to_camel(name): hint for name, hint in get_type_hints(cls).items()}
    for key, given in data.items():
        if isinstance(given, str) and _is_text(hints.get(key)):
            values[key] = given.strip()
        else:
            parse_text(key, given, values, findings)
    return values, findings


def parse_text(key: str, text: Any, values: dict[str, Any], findings: list[FieldError]) -> None:
    """Put the value of a YAML or JSON text into ``values``, or say why it cannot be read."""
    if not isinstance(text, str):
        findings.append(FieldError(key, f"must be text, as in every ConfigMap, not {text!r}"))
        return
    try:
        values[key] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        findings.append(FieldError(key, f"is not valid YAML or JSON: {_one_line(error)}"))


def read_values(default: Any, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """Read values by their keys in camelCase into fields of ``default``'s dataclass.

    Returns the fields by their own names, and what is wrong. A structured setting that is given
    in part keeps the rest of its default.
    """
    cls: Any = type(default)
    whole = {key: _laid_over(default, key, value) for key, value in values.items()}
    try:
        read = _adapter(cls).validate_python(whole)
    except pydantic.ValidationError as error:
        problems = error.errors(include_url=False)
        return {}, [FieldError(path_of(p["loc"]), _message(cls, p)) for p in problems]
    names = {to_camel(field.name): field.name for field in dataclasses.fields(cls)}
    return {names[key]: getattr(read, names[key]) for key in values}, []


def _laid_over(default: Any, key: str, value: Any) -> Any:
    """Return a mapping given for a structured setting, completed from the default's fields."""
    name = next((f.name for f in dataclasses.fields(default) if to_camel(f.name) == key), None)
    before = getattr(default, name) if name else None
    if not dataclasses.is_dataclass(before) or not isinstance(value, Mapping):
        return value
    kept = {to_camel(f.name): getattr(before, f.name) for f in dataclasses.fields(before)}
    return {**kept, **value}


@cache
def _adapter(cls: type) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(cls)


def _message(cls: type, problem: Any) -> str:
    kind, given, location = problem["type"], problem["input"], problem["loc"]
    if kind == "unexpected_keyword_argument":
        return _unknown(str(location[-1]), _keys(cls, location[:-1]))
    shown = f'"{given}"' if isinstance(given, str) else _one_line(given)
    if kind == "literal_error":
        allowed = problem["ctx"]["expected"].replace(" or ", ", ").replace("'", "")
        return f"{shown} is not allowed; allowed: {allowed}"
    if kind in _WANTED:
        return f"{_WANTED[kind]}, not {shown}"
    return str(problem["msg"])


def nearest(key: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """Return the known key that somebody who wrote ``key`` may have meant; empty: none is near."""
    return next(iter(difflib.get_close_matches(key, list(known), n=1, cutoff=likeness)), "")


def _unknown(key: str, known: Iterable[str]) -> str:
    near = nearest(key, known)
    meant = f'did you mean "{near}"? ' if near else ""
    return f"unknown key; {meant}known: {', '.join(sorted(known))}"


def _keys(cls: Any, location: Sequence[int | str]) -> list[str]:
    """Return the keys known at a place inside the settings."""
    for part in location:
        if dataclasses.is_dataclass(cls):
            hints = get_type_hints(cls)
            cls = next((hint for name, hint in hints.items() if to_camel(name) == part), None)
        else:
            cls = (*get_args(cls), None)[-2]
    return [to_camel(field.name) for field in dataclasses.fields(cls)]


def _is_text(hint: Any) -> bool:
    """Whether a setting is text, so that its value is taken as it is written; unknown ones too."""
    return hint in (None, str) or (
        get_origin(hint) is not None and all(isinstance(each, str) for each in get_args(hint))
    )


def _one_line(value: object) -> str:
    return " ".join(str(value).split())
