"""AuthorizationPolicy -> the rules of Envoy's RBAC filters: CUSTOM, DENY and ALLOW.

What cannot be translated is never read as permission: such a condition is left out of a DENY, which
then refuses more, and its whole rule is left out of an ALLOW, which then lets less through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from rouse.embedded.mesh.translate.authentication import PAYLOAD
from rouse.embedded.mesh.translate.envoy import typed
from rouse.embedded.mesh.translate.names import AUTHORIZER
from rouse.embedded.mesh.translate.problems import UNSUPPORTED, Finding
from rouse.kube.objects import Object, key_of

__all__ = ["NOTE", "Authorization", "make_authorization"]

NOTE: Final = "rouse_custom_"
"""Begins the name of what the filter of CUSTOM leaves in the metadata of its requests."""

_RBAC: Final = "envoy.extensions.filters.http.rbac.v3.RBAC"
_JWT: Final = "envoy.filters.http.jwt_authn"
_ANY: Final[Object] = {"any": True}
_MOST_PORT: Final = 65_535
_CLAIM: Final = "request.auth.claims["
_HEADER: Final = "request.headers["

Matcher = Callable[[str], Object]


class _UnsupportedError(Exception):
    """A condition that has no translation; its text is the condition's path."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """The configurations of the filters, in the order requests pass them."""

    custom: Object
    """Notes which requests the authorizer is to be asked about; stops none."""
    deny: Object
    allow: Object


def make_authorization(objects: Iterable[Object]) -> tuple[Authorization, tuple[Finding, ...]]:
    """Return the filters' configurations, and what was not understood."""
    findings: list[Finding] = []
    rules: dict[str, dict[str, Object]] = {"CUSTOM": {}, "DENY": {}, "ALLOW": {}}
    has_allow = False
    for obj in objects:
        spec = obj.get("spec") or {}
        action = spec.get("action") or "ALLOW"
        if problem := _problem(action, spec):
            message = f"{problem} is not supported by the embedded engine"
            findings.append(Finding("AuthorizationPolicy", key_of(obj), UNSUPPORTED, message))
            # Nobody can say yes to what nobody checks.
            action = "DENY"
        has_allow = has_allow or action == "ALLOW"
        for index, rule in enumerate(spec.get("rules") or ()):
            made, unknown = _rule(rule or {}, lenient=action != "ALLOW")
            for path in unknown:
                message = f"spec.rules[{index}].{path}: not supported by the embedded engine"
                findings.append(Finding("AuthorizationPolicy", key_of(obj), UNSUPPORTED, message))
            if made is not None:
                rules[action][f"{key_of(obj)}/{index}"] = made
    allow = {"rules": {"action": "ALLOW", "policies": rules["ALLOW"]}} if has_allow else {}
    deny = {"rules": {"action": "DENY", "policies": rules["DENY"]}} if rules["DENY"] else {}
    # Rules in the shadow only leave a note, by which the next filter knows.
    shadow = {"action": "DENY", "policies": rules["CUSTOM"]}
    custom = {"shadow_rules": shadow, "shadow_rules_stat_prefix": NOTE} if rules["CUSTOM"] else {}
    filters = (typed(_RBAC, one) for one in (custom, deny, allow))
    return Authorization(*filters), tuple(findings)


def _problem(action: str, spec: Mapping[str, Any]) -> str:
    """Return what of a policy's action nobody here can do; empty where all is well."""
    if action not in ("ALLOW", "CUSTOM", "DENY"):
        return f"spec.action: {action}"
    provider = (spec.get("provider") or {}).get("name", "")
    if action == "CUSTOM" and provider != AUTHORIZER:
        return f'spec.action: CUSTOM by provider "{provider}", which is not {AUTHORIZER},'
    return ""


def _rule(rule: Mapping[str, Any], *, lenient: bool) -> tuple[Object | None, list[str]]:
    """Translate one rule; None where it is left out."""
    unknown: list[str] = []
    permissions = _alternatives(rule.get("to"), "to", "operation", _OPERATION, unknown)
    principals = _alternatives(rule.get("from"), "from", "source", _SOURCE, unknown)
    conditions: list[Object] = []
    for index, when in enumerate(rule.get("when") or ()):
        try:
            conditions.append(_condition(when))
        except _UnsupportedError as error:
            unknown.append(f"when[{index}]: {error}")
    if unknown and not lenient:
        return None, unknown
    both = {"and_ids": {"ids": [principals, *conditions]}} if conditions else principals
    return {"permissions": [permissions], "principals": [both]}, unknown


def _alternatives(
    listed: Sequence[Mapping[str, Any]] | None,
    where: str,
    part: str,
    fields: Mapping[str, Matcher],
    unknown: list[str],
) -> Object:
    """Translate ``from`` or ``to``: any of the entries, of each all fields, of these any value."""
    word = "ids" if part == "source" else "rules"
    found = []
    for index, entry in enumerate(listed or ()):
        wanted = []
        for name, values in sorted((entry.get(part) or {}).items()):
            bare = name[3:4].lower() + name[4:] if name.startswith("not") else name
            matcher = fields.get(name) or fields.get(bare)
            if matcher is None:
                unknown.append(f"{where}[{index}].{part}.{name}")
                continue
            any_of = {f"or_{word}": {word: [matcher(value) for value in values]}}
            negated = {f"not_{word[:-1]}": any_of}
            wanted.append(any_of if bare == name else negated)
        found.append({f"and_{word}": {word: wanted}} if wanted else _ANY)
    return {f"or_{word}": {word: found}} if found else _ANY


def _condition(when: Mapping[str, Any]) -> Object:
    key = when.get("key", "")
    if key == "request.auth.principal":
        matcher: Matcher = _principal
    elif key == "request.auth.audiences":
        matcher = partial(_claim, ("aud",))
    elif key.startswith(_CLAIM):
        path = tuple(key.removeprefix(_CLAIM).removesuffix("]").split("]["))
        matcher = partial(_claim, path)
    elif key.startswith(_HEADER):
        matcher = partial(_header, key.removeprefix(_HEADER).removesuffix("]"))
    else:
        raise _UnsupportedError(key)
    parts: list[Object] = []
    if values := when.get("values"):
        parts.append({"or_ids": {"ids": [matcher(value) for value in values]}})
    if refused := when.get("notValues"):
        parts.append({"not_id": {"or_ids": {"ids": [matcher(value) for value in refused]}}})
    return {"and_ids": {"ids": parts}} if parts else _ANY


def _principal(value: str) -> Object:
    """Match ``<issuer>/<subject>`` of the token; ``*`` is any token."""
    if value == "*":
        return _claim(("iss",), "*")
    issuer, _, subject = value.rpartition("/")
    return {"and_ids": {"ids": [_claim(("iss",), issuer), _claim(("sub",), subject)]}}


def _claim(path: Iterable[str], value: str) -> Object:
    """Match a claim that is the text, or a list with it."""
    text = {"string_match": _text(value)}
    either = {"or_match": {"value_matchers": [text, {"list_match": {"one_of": text}}]}}
    keys = [{"key": key} for key in (PAYLOAD, *path)]
    return {"metadata": {"filter": _JWT, "path": keys, "value": either}}


def _header(name: str, value: str) -> Object:
    if value == "*":
        # As Istio has it, also where the header is there and empty.
        return {"header": {"name": name, "present_match": True}}
    return {"header": {"name": name, "string_match": _text(value)}}


def _host(value: str) -> Object:
    return {"header": {"name": ":authority", "string_match": _text(value, ignore_case=True)}}


def _path(value: str) -> Object:
    return {"url_path": {"path": _text(value)}}


def _port(value: str) -> Object:
    if value.isdecimal() and 0 < int(value) <= _MOST_PORT:
        return {"destination_port": int(value)}
    return {"not_rule": _ANY}


def _method(value: str) -> Object:
    return {"header": {"name": ":method", "string_match": _text(value)}}


def _text(value: str, *, ignore_case: bool = False) -> Object:
    """Translate Istio's text match: exact, ``prefix*``, ``*suffix``, or ``*`` for any but none."""
    if value == "*":
        return {"safe_regex": {"regex": ".+"}}
    found: Object = {"exact": value}
    if value.endswith("*"):
        found = {"prefix": value[:-1]}
    elif value.startswith("*"):
        found = {"suffix": value[1:]}
    return {**found, "ignore_case": True} if ignore_case else found


# Not "ports": those of Istio's pods are not those that this machine's gateways have.
_OPERATION: Final[Mapping[str, Matcher]] = {
    "hosts": _host,
    "paths": _path,
    "methods": _method,
    "notPorts": _port,
}
_SOURCE: Final[Mapping[str, Matcher]] = {"requestPrincipals": _principal}
