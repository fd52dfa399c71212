"""Whom a request is for, by the policies that send its host here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rouse.api.apikeys import LABEL
from rouse.compiler.names import ACCESS_NAMESPACE_LABEL, GRAPH_LABEL, SERVICE_LABEL, TOKENS_TOO
from rouse.kube.objects import Key, labels_of

__all__ = ["HostTable", "Protected"]

_SUBTREE: Final = "/*"


@dataclass(frozen=True, slots=True)
class Protected:
    """An InferenceService or InferenceGraph that asks for keys."""

    service: Key
    secret: Key
    takes_tokens: bool = False
    """Whether a token is as good as a key; whoever brings one is judged by the gateway."""


@dataclass(slots=True)
class HostTable:
    """Hosts and paths -> InferenceServices.

    What two of them claim is nobody's: else the keys of one tenant would open another's model
    where ``domainTemplate`` does not keep namespaces apart.
    """

    _hosts: dict[str, Protected | None] = field(default_factory=dict)
    _paths: dict[str, dict[str, Protected | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, policies: Iterable[Mapping[str, Any]]) -> HostTable:
        """Read the policies of action CUSTOM that Rouse made; others are left out."""
        table = cls()
        for policy in policies:
            if (protected := _protected(policy)) is None:
                continue
            for rule in policy["spec"].get("rules") or ():
                for to in rule.get("to") or ():
                    table._add(to.get("operation") or {}, protected)
        return table

    def find(self, host: str, path: str) -> Protected | None:
        """Return whom a request is for; the longest path that fits wins. None where unknown."""
        name = _bare(host)
        at = path.partition("?")[0]
        below = self._paths.get(name, {})
        fitting = [one for one in below if at == one or at.startswith(f"{one}/")]
        if fitting:
            return below[max(fitting, key=len)]
        return self._hosts.get(name)

    def _add(self, operation: Mapping[str, Any], protected: Protected) -> None:
        paths = [one.removesuffix(_SUBTREE) for one in operation.get("paths") or ()]
        for host in {_bare(one) for one in operation.get("hosts") or ()}:
            for path in paths:
                _claim(self._paths.setdefault(host, {}), path, protected)
            if not paths:
                _claim(self._hosts, host, protected)


def _claim(claims: dict[str, Protected | None], what: str, protected: Protected) -> None:
    claims[what] = protected if claims.get(what, protected) == protected else None


def _protected(policy: Mapping[str, Any]) -> Protected | None:
    labels = labels_of(policy)
    annotations = policy["metadata"].get("annotations") or {}
    namespace = labels.get(ACCESS_NAMESPACE_LABEL)
    service = labels.get(SERVICE_LABEL) or labels.get(GRAPH_LABEL)
    secret = annotations.get(LABEL)
    if (policy.get("spec") or {}).get("action") != "CUSTOM" or not (namespace and service):
        return None
    if not secret:
        return None
    tokens = annotations.get(TOKENS_TOO) == "true"
    return Protected(Key(namespace, service), Key(namespace, secret), tokens)


def _bare(host: str) -> str:
    """Return a host without its port, as hosts are compared."""
    name, colon, port = host.rpartition(":")
    return (name if colon and (port.isdigit() or port == "*") else host).lower().rstrip(".")
