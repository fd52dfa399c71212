"""One question of the gateway -> its answer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import orjson

from rouse.api.apikeys import KEY_HEADER, NAME_HEADER, Key, find_key
from rouse.authorizer.hosts import HostTable, Protected
from rouse.kube.objects import Key as ObjectKey

__all__ = ["KeysOf", "Verdict", "decide"]

KeysOf: TypeAlias = Callable[[ObjectKey], Sequence[Key] | None]
"""The keys of a Secret; none where it is not there, None where its namespace is not read."""

_BEARER: Final = "bearer "
_REMOVE: Final = "x-envoy-auth-headers-to-remove"
"""Envoy takes what it names out of the request: a key is of no use to a model, and could leak."""
_JSON: Final = ("content-type", "application/json")
_WANTED: Final = '"Authorization: Bearer <key>" or "x-api-key: <key>"'


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gateway is told; with a status of 200 the request passes."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    outcome: str = "allowed"
    """For the metrics: allowed, token, missing, wrong, unknown."""
    protected: Protected | None = None
    name: str = ""
    """Of the key."""


def decide(
    host: str, path: str, headers: Mapping[str, str], *, table: HostTable, keys_of: KeysOf
) -> Verdict:
    """Judge a request by its host, path and headers (by lower-case names)."""
    protected = table.find(host, path)
    if protected is None:
        # The gateway knows a policy that has not come here yet: closed until it has.
        error = (
            f'the keys of "{host}" are not known yet, or two models claim this address; retry in '
            "a second, then ask the model's owner"
        )
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, error, "unknown", None)
    source, presented = _presented(headers)
    if not presented:
        if protected.takes_tokens:
            return _passes(protected)
        error = f"this model needs an API key: send {_WANTED}"
        return _refusal(HTTPStatus.UNAUTHORIZED, error, "missing", protected)
    keys = keys_of(protected.secret)
    key = find_key(keys or (), presented)
    if key is not None:
        return Verdict(
            HTTPStatus.OK,
            ((NAME_HEADER, key.name), (_REMOVE, source)),
            protected=protected,
            name=key.name,
        )
    if protected.takes_tokens and source == "authorization" and presented.count(".") == 2:
        return _passes(protected)
    if keys is None:
        error = (
            f'the keys of namespace "{protected.secret.namespace}" are not read here; whoever runs '
            "the authorizer can add it to its namespaces"
        )
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, error, "unknown", protected)
    error = (
        "the API key is not valid for this model: it may be revoked or belong to another; ask "
        f"the model's owner for a new one, and send it as {_WANTED}"
    )
    return _refusal(HTTPStatus.FORBIDDEN, error, "wrong", protected)


def _presented(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the header that carries the key, and the key; empty where there is none."""
    if key := headers.get(KEY_HEADER, "").strip():
        return KEY_HEADER, key
    value = headers.get("authorization", "").strip()
    if value.lower().startswith(_BEARER):
        return "authorization", value[len(_BEARER) :].strip()
    return "", ""


def _passes(protected: Protected) -> Verdict:
    # A name that the client made up must go, and not just be emptied: Istio's DENY of requests
    # without a token asks whether the header is there.
    return Verdict(HTTPStatus.OK, ((_REMOVE, NAME_HEADER),), outcome="token", protected=protected)


def _refusal(status: HTTPStatus, error: str, outcome: str, protected: Protected | None) -> Verdict:
    headers = [_JSON]
    if status is HTTPStatus.UNAUTHORIZED:
        headers.append(("www-authenticate", 'Bearer realm="rouse"'))
    return Verdict(status, tuple(headers), orjson.dumps({"error": error}), outcome, protected)
