"""Webhook configurations as values, and what of them this server cannot do. Pure.

Webhooks by ``url`` are called. Those by ``service`` are not: this process does not know where a
Service leads, and refusing for their sake would lock users out of an engine whose API reviews
models by itself.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from rouse.embedded.apiserver.errors import Object
from rouse.errors import FieldError

__all__ = [
    "GROUP",
    "MOST_S",
    "MUTATING",
    "VALIDATING",
    "Hook",
    "Rule",
    "findings",
    "hooks_of",
    "notes",
]

GROUP: Final = "admissionregistration.k8s.io"
MUTATING: Final = f"{GROUP}/mutatingwebhookconfigurations"
VALIDATING: Final = f"{GROUP}/validatingwebhookconfigurations"

_DEFAULT_S: Final = 10
MOST_S: Final = 30
"""The longest that a webhook may be waited for, in seconds."""
_NO_EFFECTS: Final = ("None", "NoneOnDryRun")
_REVIEW: Final = "v1"
_RULE_LISTS: Final = ("operations", "apiGroups", "apiVersions", "resources")


@dataclass(frozen=True, slots=True)
class Rule:
    """Operations and resources; ``*`` is every one."""

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[str, ...]
    """``pods``, ``pods/status``, ``*/scale``, ``*``, ``*/*``."""
    scope: str = "*"


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook that can be called."""

    name: str
    url: str
    ca: str
    """The authorities of its certificate, PEM; empty: the system's."""
    mutating: bool
    rules: tuple[Rule, ...]
    namespaces: Object = field(default_factory=dict)
    """Label selector of the namespaces it is asked about."""
    objects: Object = field(default_factory=dict)
    """Label selector of the objects it is asked about."""
    equivalent: bool = True
    """Whether other versions of the same resource match too."""
    fails_closed: bool = True
    timeout_s: int = _DEFAULT_S


def hooks_of(configuration: Object, *, mutating: bool) -> list[Hook]:
    """Return the webhooks of a stored configuration that are called."""
    return [
        _hook(each, mutating=mutating)
        for each in configuration.get("webhooks") or ()
        if _config(each).get("url")
    ]


def findings(configuration: Object) -> list[FieldError]:
    """Return what this server cannot do for the webhooks that it would call."""
    found = []
    for index, each in enumerate(configuration.get("webhooks") or ()):
        if _config(each).get("url"):
            path = f"webhooks[{index}]"
            found += [FieldError(f"{path}.{field}", message) for field, message in _wrong(each)]
    return found


def notes(configuration: Object) -> list[str]:
    """Return a warning for every webhook that is not called."""
    return [
        f'webhook "{each.get("name")}" is not called: the embedded engine calls webhooks by '
        "clientConfig.url only"
        for each in configuration.get("webhooks") or ()
        if not _config(each).get("url")
    ]


def _config(webhook: Object) -> Object:
    config: Object = webhook.get("clientConfig") or {}
    return config


def _hook(webhook: Object, *, mutating: bool) -> Hook:
    config = _config(webhook)
    return Hook(
        name=str(webhook.get("name") or ""),
        url=str(config["url"]),
        ca=_pem(config),
        mutating=mutating,
        rules=tuple(_rule(each) for each in webhook.get("rules") or ()),
        namespaces=webhook.get("namespaceSelector") or {},
        objects=webhook.get("objectSelector") or {},
        equivalent=webhook.get("matchPolicy", "Equivalent") != "Exact",
        fails_closed=webhook.get("failurePolicy", "Fail") != "Ignore",
        timeout_s=webhook.get("timeoutSeconds", _DEFAULT_S),
    )


def _rule(rule: Object) -> Rule:
    return Rule(
        operations=frozenset(rule.get("operations") or ()),
        groups=frozenset(rule.get("apiGroups") or ()),
        versions=frozenset(rule.get("apiVersions") or ()),
        resources=tuple(rule.get("resources") or ()),
        scope=rule.get("scope") or "*",
    )


def _pem(config: Object) -> str:
    return base64.b64decode(config.get("caBundle") or "").decode("ascii")


def _wrong(webhook: Object) -> Iterator[tuple[str, str]]:
    """Yield field and message; the words are those of Kubernetes where it has them."""
    config = _config(webhook)
    if config.get("service"):
        yield "clientConfig", "Required value: exactly one of url or service is required"
    yield from _wrong_address(config)
    if webhook.get("matchConditions"):
        yield "matchConditions", "Forbidden: the embedded engine evaluates no CEL; leave them out"
    if _REVIEW not in (webhook.get("admissionReviewVersions") or ()):
        yield "admissionReviewVersions", f"Invalid value: must include {_REVIEW}"
    known: tuple[tuple[str, tuple[str, ...], Any], ...] = (
        ("sideEffects", _NO_EFFECTS, None),
        ("failurePolicy", ("Fail", "Ignore"), "Fail"),
        ("matchPolicy", ("Exact", "Equivalent"), "Equivalent"),
    )
    for name, values, default in known:
        if (said := webhook.get(name, default)) not in values:
            listed = ", ".join(f'"{value}"' for value in values)
            yield name, f"Unsupported value: {said!r}: supported values: {listed}"
    if not 1 <= webhook.get("timeoutSeconds", _DEFAULT_S) <= MOST_S:
        yield "timeoutSeconds", "Invalid value: the timeout value must be between 1 and 30 seconds"
    for index, rule in enumerate(webhook.get("rules") or ()):
        for name in _RULE_LISTS:
            if not _is_texts(rule.get(name)):
                yield f"rules[{index}].{name}", "Required value: a list of texts"
    for name in ("namespaceSelector", "objectSelector"):
        if not _is_selector(webhook.get(name) or {}):
            yield name, "Invalid value: no label selector"


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(one, str) for one in value)


def _is_selector(selector: Object) -> bool:
    labels, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    if not isinstance(labels, dict) or not isinstance(expressions, list):
        return False
    return all(
        isinstance(each, dict)
        and isinstance(each.get("key"), str)
        and (
            each.get("operator") in ("Exists", "DoesNotExist")
            or (each.get("operator") in ("In", "NotIn") and _is_texts(each.get("values")))
        )
        for each in expressions
    )


def _wrong_address(config: Object) -> Iterator[tuple[str, str]]:
    try:
        url = urlsplit(str(config["url"]))
        is_plain = url.scheme == "https" and bool(url.hostname) and url.port != 0
    except ValueError:
        is_plain = False
    if not is_plain:
        told = "Invalid value: 'https' is the only allowed URL scheme, with a host after it"
        yield "clientConfig.url", told
    elif url.username is not None or url.query or url.fragment:
        told = "Invalid value: user information, query and fragment are not permitted in the URL"
        yield "clientConfig.url", told
    try:
        pem = _pem(config)
        if pem:
            ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, binascii.Error, ValueError, TypeError):
        yield "clientConfig.caBundle", "Invalid value: no PEM certificates in base64"
