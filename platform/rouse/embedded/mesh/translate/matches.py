"""HTTPMatchRequest of Istio -> RouteMatch of Envoy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rouse.embedded.mesh.translate.problems import InvalidFieldError
from rouse.embedded.mesh.translate.strings import string_matcher
from rouse.kube.objects import Object

__all__ = ["Match", "make_match", "make_matches"]

_PSEUDO_HEADERS: Final = {"method": ":method", "authority": ":authority", "scheme": ":scheme"}
_KNOWN: Final = frozenset(
    [
        *("name", "uri", "ignoreUriCase", "headers", "withoutHeaders", "queryParams"),
        *("gateways", "port", "method", "authority", "scheme", "statPrefix"),
    ]
)


@dataclass(frozen=True, slots=True)
class Match:
    """One alternative of a rule. ``gateways`` and ``port`` restrict where it applies."""

    envoy: Object
    gateways: tuple[str, ...] = ()
    port: int | None = None

    @property
    def takes_all(self) -> bool:
        """Whether no request passes it by."""
        return self.envoy == {"prefix": "/"} and not self.gateways and self.port is None


def make_matches(rule: Object, path: str) -> list[Match]:
    """Translate the alternatives of a rule; one that takes all if it names none."""
    blocks = rule.get("match")
    if not blocks:
        return [Match({"prefix": "/"})]
    if not isinstance(blocks, list):
        raise InvalidFieldError(f"{path}.match", "must be a list")
    return [make_match(block, f"{path}.match[{i}]") for i, block in enumerate(blocks)]


def make_match(block: Any, path: str) -> Match:
    """Translate one HTTPMatchRequest; all its conditions must hold."""
    if not isinstance(block, dict):
        raise InvalidFieldError(path, "must be an object")
    if unknown := sorted(set(block) - _KNOWN):
        raise InvalidFieldError(f"{path}.{unknown[0]}", "is not supported by the embedded mesh")
    envoy = _path_match(block, path)
    if headers := _header_matches(block, path):
        envoy["headers"] = headers
    if queries := _query_matches(block, path):
        envoy["query_parameters"] = queries
    port = block.get("port")
    if port is not None and not isinstance(port, int):
        raise InvalidFieldError(f"{path}.port", "must be a number")
    return Match(envoy, tuple(block.get("gateways") or ()), port)


def _path_match(block: Object, path: str) -> Object:
    uri = block.get("uri")
    matcher = None if uri is None else string_matcher(uri, f"{path}.uri")
    if matcher is None:
        return {"prefix": "/"}
    if "exact" in matcher:
        match: Object = {"path": matcher["exact"]}
    else:
        match = matcher
    if block.get("ignoreUriCase") and "safe_regex" not in match:
        match["case_sensitive"] = False
    return match


def _header_matches(block: Object, path: str) -> list[Object]:
    matches = []
    for field, name in _PSEUDO_HEADERS.items():
        if field in block:
            matches.append(_header_match(name, block[field], f"{path}.{field}"))
    for name, wanted in _items(block, "headers", path):
        matches.append(_header_match(name, wanted, f"{path}.headers[{name}]"))
    for name, unwanted in _items(block, "withoutHeaders", path):
        match = _header_match(name, unwanted, f"{path}.withoutHeaders[{name}]")
        if "string_match" in match:
            # Envoy otherwise takes a missing header for a failed match, inverted or not.
            match["treat_missing_header_as_empty"] = True
        matches.append(match | {"invert_match": True})
    return matches


def _header_match(name: str, value: Any, path: str) -> Object:
    if not name or any(character.isspace() for character in name):
        raise InvalidFieldError(path, "is not the name of a header")
    matcher = string_matcher(value, path)
    if matcher is None:
        return {"name": name.lower(), "present_match": True}
    return {"name": name.lower(), "string_match": matcher}


def _query_matches(block: Object, path: str) -> list[Object]:
    matches = []
    for name, wanted in _items(block, "queryParams", path):
        matcher = string_matcher(wanted, f"{path}.queryParams[{name}]")
        condition = {"present_match": True} if matcher is None else {"string_match": matcher}
        matches.append({"name": name, **condition})
    return matches


def _items(block: Object, field: str, path: str) -> list[tuple[str, Any]]:
    value = block.get(field) or {}
    if not isinstance(value, dict):
        raise InvalidFieldError(f"{path}.{field}", "must be a map")
    return sorted(value.items())
