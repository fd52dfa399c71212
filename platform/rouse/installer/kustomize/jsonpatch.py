"""JSON patches (RFC 6902), as far as kustomizations need them: add, replace, remove."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from rouse.errors import ConfigError
from rouse.kube.objects import Object

__all__ = ["apply_json_patch"]


def apply_json_patch(obj: Object, operations: Iterable[Mapping[str, Any]], *, where: str) -> Object:
    """Return the patched object; raises ConfigError naming the operation that does not fit."""
    patched = deepcopy(obj)
    for operation in operations:
        path = str(operation.get("path", ""))
        try:
            _operate(patched, operation, path)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            said = f"{operation.get('op')} {path}"
            name = obj["metadata"]["name"]
            raise ConfigError(f"{where}: {said} does not fit {obj['kind']} {name}") from error
    return patched


def _operate(root: Any, operation: Mapping[str, Any], path: str) -> None:
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    place = root
    for part in way:
        place = place[int(part)] if isinstance(place, list) else place[part]
    match operation["op"], place:
        case "add", list():
            place.insert(len(place) if last == "-" else _index(last, len(place)), _value(operation))
        case "add", dict():
            place[last] = _value(operation)
        case "replace", list():
            place[int(last)] = _value(operation)
        case "replace", dict():
            place[last]
            place[last] = _value(operation)
        case "remove", list():
            del place[int(last)]
        case "remove", dict():
            del place[last]
        case _:
            raise ValueError(operation["op"])


def _index(text: str, length: int) -> int:
    index = int(text)
    if not 0 <= index <= length:
        raise IndexError(text)
    return index


def _value(operation: Mapping[str, Any]) -> Any:
    return deepcopy(operation["value"])
