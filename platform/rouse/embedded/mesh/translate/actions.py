"""HTTPRoute of Istio -> what Envoy does with a request that matched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rouse.embedded.mesh.translate.envoy import duration, seconds_of
from rouse.embedded.mesh.translate.headers import header_fields, merge_header_fields
from rouse.embedded.mesh.translate.policies import (
    cors_filter,
    fault_filter,
    fraction,
    retry_policy,
)
from rouse.embedded.mesh.translate.problems import InvalidFieldError
from rouse.embedded.mesh.translate.strings import checked_regex
from rouse.kube.objects import Object

__all__ = ["DEFAULT_TIMEOUT_S", "Destination", "Resolve", "make_action"]

DEFAULT_TIMEOUT_S: Final = 300.0
_MOST_WEIGHT: Final = 1_000_000
_REDIRECT_CODES: Final = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}
_FILTERS: Final = {
    "fault": ("envoy.filters.http.fault", fault_filter),
    "corsPolicy": ("envoy.filters.http.cors", cors_filter),
}


@dataclass(frozen=True, slots=True)
class Destination:
    """A cluster, and how its DestinationRule chooses among endpoints (``hash_policy``)."""

    cluster: str
    hash_policy: tuple[Object, ...] = ()


Resolve = Callable[[Object | None, str], Destination]
"""Finds the cluster of an Istio ``Destination`` (second argument: its field path)."""


def make_action(rule: Object, path: str, resolve: Resolve) -> Object:
    """Translate everything of a rule but its matches into fields of an Envoy Route."""
    if "delegate" in rule:
        raise InvalidFieldError(f"{path}.delegate", "is not supported by the embedded mesh")
    if rule.get("redirect"):
        return _redirect(rule["redirect"], f"{path}.redirect")
    if rule.get("directResponse"):
        fields = _direct_response(rule["directResponse"], f"{path}.directResponse")
        return fields | header_fields(rule.get("headers"), f"{path}.headers")
    return _forward(rule, path, resolve)


def _forward(rule: Object, path: str, resolve: Resolve) -> Object:
    action = _timing(rule, path) | _rewrite(rule, path)
    outer = header_fields(rule.get("headers"), f"{path}.headers")
    targets = _targets(rule, path)
    destinations = [resolve(target.get("destination"), at) for target, _, at in targets]
    if len(targets) == 1:
        target, _, at = targets[0]
        action["cluster"] = destinations[0].cluster
        outer = merge_header_fields(header_fields(target.get("headers"), f"{at}.headers"), outer)
    else:
        clusters = []
        for (target, weight, at), found in zip(targets, destinations, strict=True):
            inner = header_fields(target.get("headers"), f"{at}.headers")
            clusters.append({"name": found.cluster, "weight": weight, **inner})
        action["weighted_clusters"] = {"clusters": clusters}
    if "host_rewrite_literal" in outer:
        action["host_rewrite_literal"] = outer.pop("host_rewrite_literal")
    if policies := [one for found in destinations for one in found.hash_policy]:
        action["hash_policy"] = policies
    if mirrors := _mirrors(rule, path, resolve):
        action["request_mirror_policies"] = mirrors
    filters = {
        name: config
        for field, (name, make) in _FILTERS.items()
        if (config := make(rule.get(field), f"{path}.{field}")) is not None
    }
    return {"route": action, **outer} | ({"typed_per_filter_config": filters} if filters else {})


def _timing(rule: Object, path: str) -> Object:
    timeout = DEFAULT_TIMEOUT_S
    if rule.get("timeout") is not None:
        timeout = seconds_of(rule["timeout"], f"{path}.timeout")
    action: Object = {"timeout": duration(timeout)}
    if policy := retry_policy(rule.get("retries"), f"{path}.retries"):
        action["retry_policy"] = policy
    return action


def _rewrite(rule: Object, path: str) -> Object:
    rewrite = rule.get("rewrite") or {}
    action: Object = {}
    if regex := rewrite.get("uriRegexRewrite"):
        at = f"{path}.rewrite.uriRegexRewrite"
        pattern = checked_regex(regex.get("match", ""), f"{at}.match")
        substitution = _text(regex.get("rewrite", ""), f"{at}.rewrite")
        action["regex_rewrite"] = {"pattern": {"regex": pattern}, "substitution": substitution}
    elif rewrite.get("uri"):
        uri = _text(rewrite["uri"], f"{path}.rewrite.uri")
        if any("regex" in (block.get("uri") or {}) for block in rule.get("match") or ()):
            # Istio replaces the whole path when the match was a regular expression.
            substitution = uri.replace("\\", "\\\\")
            action["regex_rewrite"] = {"pattern": {"regex": "^.*$"}, "substitution": substitution}
        else:
            action["prefix_rewrite"] = uri
    if rewrite.get("authority"):
        authority = _text(rewrite["authority"], f"{path}.rewrite.authority")
        action["host_rewrite_literal"] = authority
    return action


def _targets(rule: Object, path: str) -> list[tuple[Object, int, str]]:
    """List the destinations that get requests, with weight and field path."""
    listed = rule.get("route")
    if not isinstance(listed, list) or not listed:
        raise InvalidFieldError(path, "needs route, redirect or directResponse")
    targets = []
    for i, target in enumerate(listed):
        at = f"{path}.route[{i}]"
        weight = target.get("weight", 0)
        if not isinstance(weight, int) or not 0 <= weight <= _MOST_WEIGHT:
            raise InvalidFieldError(f"{at}.weight", "must be a whole number of 0 or more")
        targets.append((target, weight, at))
    if len(targets) == 1:
        return targets
    if weighted := [target for target in targets if target[1] > 0]:
        return weighted
    raise InvalidFieldError(f"{path}.route", "weights are all 0; give one destination a weight")


def _mirrors(rule: Object, path: str, resolve: Resolve) -> list[Object]:
    policies = []
    listed = [
        (mirror.get("destination"), mirror.get("percentage"), f"{path}.mirrors[{i}]")
        for i, mirror in enumerate(rule.get("mirrors") or ())
    ]
    if rule.get("mirror"):
        listed.append((rule["mirror"], rule.get("mirrorPercentage"), f"{path}.mirror"))
    for destination, percentage, at in listed:
        share = fraction(percentage, f"{at}Percentage")
        cluster = resolve(destination, at).cluster
        policies.append({"cluster": cluster, "runtime_fraction": {"default_value": share}})
    return policies


def _redirect(redirect: Object, path: str) -> Object:
    code = redirect.get("redirectCode", 301)
    if code not in _REDIRECT_CODES:
        raise InvalidFieldError(f"{path}.redirectCode", "must be 301, 302, 303, 307 or 308")
    action: Object = {"response_code": _REDIRECT_CODES[code]}
    uri = redirect.get("uri")
    if uri:
        prefix = str(uri).startswith("%PREFIX()%")
        field = "prefix_rewrite" if prefix else "path_redirect"
        action[field] = _text(uri, f"{path}.uri").removeprefix("%PREFIX()%")
    if redirect.get("authority"):
        action["host_redirect"] = _text(redirect["authority"], f"{path}.authority")
    if redirect.get("scheme"):
        action["scheme_redirect"] = _text(redirect["scheme"], f"{path}.scheme")
    if redirect.get("port"):
        action["port_redirect"] = redirect["port"]
    return {"redirect": action}


def _direct_response(response: Object, path: str) -> Object:
    status = response.get("status")
    if not isinstance(status, int) or not 200 <= status < 600:
        raise InvalidFieldError(f"{path}.status", "must be a status from 200 to 599")
    action: Object = {"status": status}
    body = response.get("body") or {}
    if "string" in body:
        action["body"] = {"inline_string": body["string"]}
    elif "bytes" in body:
        action["body"] = {"inline_bytes": body["bytes"]}
    return {"direct_response": action}


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str) or any(character in value for character in "\r\n\0"):
        raise InvalidFieldError(path, "must be a string of one line")
    return value
