"""Which policies are for the gateways' pods, and the filters they make together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from rouse.embedded.mesh.translate.authentication import make_authentication
from rouse.embedded.mesh.translate.authorization import make_authorization
from rouse.embedded.mesh.translate.authorizer import make_check
from rouse.embedded.mesh.translate.names import POLICIES
from rouse.embedded.mesh.translate.problems import UNSUPPORTED, Finding
from rouse.kube.objects import Object, key_of

__all__ = ["Access", "make_access"]

_NAMESPACE: Final = "istio-system"
"""Of the gateways' pods, and Istio's root namespace: policies of both meanings are there."""
_LABELS: Final = {"istio": "ingressgateway"}


class PolicySource(Protocol):
    """The objects to translate."""

    def all(self, kind: str) -> Iterable[Object]:
        """Return all objects of a kind."""


@dataclass(frozen=True, slots=True)
class Access:
    """The configurations of the filters by name, the clusters they need, and what is wrong."""

    filters: Mapping[str, Object]
    clusters: Mapping[str, Object]
    findings: tuple[Finding, ...]


def make_access(objects: PolicySource) -> Access:
    """Translate the policies of the gateways; those of other pods are told about."""
    findings: list[Finding] = []
    authentication = make_authentication(_ours("RequestAuthentication", objects, findings))
    rules, unknown = make_authorization(_ours("AuthorizationPolicy", objects, findings))
    # As Istio orders them: the authorizer may take a key out of a header that tokens come in.
    filters = (rules.custom, make_check(), authentication.filter, rules.deny, rules.allow)
    return Access(
        filters=dict(zip(POLICIES, filters, strict=True)),
        clusters=authentication.clusters,
        findings=(*findings, *authentication.findings, *unknown),
    )


def _ours(kind: str, objects: PolicySource, findings: list[Finding]) -> Iterator[Object]:
    for obj in sorted(objects.all(kind), key=lambda one: str(key_of(one))):
        selector = ((obj.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
        if key_of(obj).namespace == _NAMESPACE and selector.items() <= _LABELS.items():
            yield obj
            continue
        message = (
            f"has no effect: the embedded engine enforces policies at its gateway only, those in "
            f"namespace {_NAMESPACE} for pods labelled istio: ingressgateway"
        )
        findings.append(Finding(kind, key_of(obj), UNSUPPORTED, message))
