"""DestinationRules: which one governs a Service, and its traffic policy for a port."""

from __future__ import annotations

from collections.abc import Iterable

from rouse.embedded.mesh.translate.names import service_key
from rouse.embedded.mesh.translate.problems import UNSUPPORTED, Finding
from rouse.kube.objects import Key, Object, key_of

__all__ = ["Rules", "age_order"]


def age_order(obj: Object) -> tuple[str, Key]:
    """Sort key: oldest first, then by name, so that precedence never changes by itself."""
    return str(obj["metadata"].get("creationTimestamp") or ""), key_of(obj)


class Rules:
    """Finds traffic policies. A rule in the Service's own namespace goes first, then the oldest."""

    def __init__(self, rules: Iterable[Object]) -> None:
        self._of: dict[Key, Object] = {}
        self.findings: list[Finding] = []
        for rule in sorted(rules, key=age_order):
            spec = rule.get("spec") or {}
            own = key_of(rule)
            service = service_key(str(spec.get("host", "")).lower(), own.namespace)
            if service is None:
                continue
            if spec.get("subsets"):
                message = "spec.subsets: not supported by the embedded mesh"
                self.findings.append(Finding("DestinationRule", own, UNSUPPORTED, message))
            before = self._of.get(service)
            if before is None or (
                own.namespace == service.namespace and key_of(before).namespace != service.namespace
            ):
                self._of[service] = rule

    def get(self, service: Key) -> Object | None:
        """Return the DestinationRule that governs a Service."""
        return self._of.get(service)

    def policy_of(self, service: Key, port: int) -> Object:
        """Return its ``trafficPolicy`` with the port's own settings on top; may be empty."""
        rule = self._of.get(service)
        policy: Object = ((rule or {}).get("spec") or {}).get("trafficPolicy") or {}
        for settings in policy.get("portLevelSettings") or ():
            if (settings.get("port") or {}).get("number") == port:
                return {**policy, **settings}
        return policy
