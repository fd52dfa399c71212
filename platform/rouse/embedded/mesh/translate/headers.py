"""Header operations of Istio -> the fields of Envoy's routes and weighted clusters."""

from __future__ import annotations

import re
from typing import Any, Final

from rouse.embedded.mesh.translate.problems import InvalidFieldError
from rouse.kube.objects import Object

__all__ = ["header_fields", "merge_header_fields"]

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BAD_VALUE: Final = re.compile(r"[\r\n\0]")
_MOST: Final = 500
_DIRECTIONS: Final = ("request", "response")


def header_fields(headers: Any, path: str) -> Object:
    """Translate ``{request: {set, add, remove}, response: {...}}``.

    Setting the request's Host becomes ``host_rewrite_literal``, the only way Envoy allows.
    """
    if headers is None:
        return {}
    if not isinstance(headers, dict):
        raise InvalidFieldError(path, "must be an object with request or response")
    fields: Object = {}
    for direction in _DIRECTIONS:
        operations = headers.get(direction) or {}
        at = f"{path}.{direction}"
        added: list[Object] = []
        for verb, action in (
            ("set", "OVERWRITE_IF_EXISTS_OR_ADD"),
            ("add", "APPEND_IF_EXISTS_OR_ADD"),
        ):
            for name, value in (operations.get(verb) or {}).items():
                where = f"{at}.{verb}[{name}]"
                if name.lower() == "host" and direction == "request" and verb == "set":
                    fields["host_rewrite_literal"] = _value(value, where)
                    continue
                header = {
                    "key": _name(name, where),
                    "value": _value(value, where).replace("%", "%%"),
                }
                added.append({"header": header, "append_action": action})
        if added:
            fields[f"{direction}_headers_to_add"] = added
        if removed := [_name(name, f"{at}.remove") for name in operations.get("remove") or ()]:
            fields[f"{direction}_headers_to_remove"] = removed
        if len(added) + len(removed) > _MOST:
            raise InvalidFieldError(at, f"changes more than {_MOST} headers")
    return fields


def merge_header_fields(inner: Object, outer: Object) -> Object:
    """Join the operations of a destination with those of its route, in Envoy's order."""
    merged = dict(outer)
    for name, value in inner.items():
        merged[name] = [*value, *outer.get(name, ())] if isinstance(value, list) else value
    return merged


def _name(name: object, path: str) -> str:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise InvalidFieldError(path, f'"{name}" is not the name of a header')
    if name.lower() == "host":
        raise InvalidFieldError(path, "Host of a request can be set, not added or removed")
    return name


def _value(value: object, path: str) -> str:
    if not isinstance(value, str) or _BAD_VALUE.search(value):
        raise InvalidFieldError(path, "must be a string of one line")
    return value
