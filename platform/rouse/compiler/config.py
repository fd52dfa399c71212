"""What an installation decides for all its InferenceServices: ConfigMap ``rouse-config``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pydantic.alias_generators import to_camel

from rouse.errors import ConfigError

__all__ = ["CONFIG_MAP", "CONFIG_NAMESPACE", "Config"]

CONFIG_MAP = "rouse-config"
CONFIG_NAMESPACE = "rouse-system"


@dataclass(frozen=True, slots=True)
class Config:
    """The settings; in the ConfigMap each is a key in camelCase."""

    domain: str = "example.com"
    """The domain of the hosts that clients outside use."""
    domain_template: str = "{{.Name}}.{{.Namespace}}.{{.IngressDomain}}"
    """How such a host is made of name, namespace and domain."""
    url_scheme: str = "http"
    cluster_domain: str = "cluster.local"
    ingress_gateway: str = "knative-serving/knative-ingress-gateway"
    local_gateway: str = "knative-serving/knative-local-gateway"
    local_gateway_service: str = "knative-local-gateway.istio-system.svc.cluster.local"
    ingress_status: str = "optional"
    """``required``: IngressReady waits until the VirtualService's status says Reconciled for its
    generation. ``optional``: it does so only where such a status is written (Istio by default
    writes none)."""

    @classmethod
    def from_config_map(cls, config_map: Mapping[str, Any] | None) -> Config:
        """Read the ConfigMap; what it does not say, or all when it is None, is the default.

        Raises ConfigError for an unknown key or a bad value.
        """
        data: Mapping[str, str] = (config_map or {}).get("data") or {}
        known = {to_camel(field.name): field.name for field in fields(cls)}
        unknown = sorted(data.keys() - known.keys())
        if unknown:
            raise ConfigError(
                f"ConfigMap {CONFIG_MAP}: unknown key {', '.join(unknown)}; "
                f"known: {', '.join(sorted(known))}"
            )
        config = cls(**{known[key]: value.strip() for key, value in data.items()})
        for key, allowed in _ALLOWED.items():
            if getattr(config, known[key]) not in allowed:
                raise ConfigError(
                    f'ConfigMap {CONFIG_MAP}: {key} is "{getattr(config, known[key])}"; '
                    f"allowed: {', '.join(allowed)}"
                )
        for key in ("ingressGateway", "localGateway"):
            if getattr(config, known[key]).count("/") != 1:
                raise ConfigError(f"ConfigMap {CONFIG_MAP}: {key} must be <namespace>/<name>")
        return config


_ALLOWED = {"urlScheme": ("http", "https"), "ingressStatus": ("optional", "required")}
