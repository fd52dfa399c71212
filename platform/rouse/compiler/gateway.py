"""The Gateway of HTTPS requests, where an installation gives a certificate and no Gateway.

Istio reads the secret from the namespace of the gateway's pods, wherever the Gateway is, and takes
a host on a port from one Gateway only. So there is one for the installation, with every host.
"""

from __future__ import annotations

from collections.abc import Iterable

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.names import MANAGED_BY

__all__ = ["make_certificate", "make_tls_gateway"]

_CERTIFICATE = "rouse-tls"
_ISSUERS = "cert-manager.io"

_ANY_HOST = ["*"]


def make_tls_gateway(config: Config) -> Object | None:
    """Return the Gateway; None where HTTPS is off, or somebody else's Gateway is used.

    It belongs to no InferenceService: all share it.
    """
    if not config.makes_tls_gateway:
        return None
    namespace, _, name = config.https_gateway.partition("/")
    servers: list[Object] = [
        {
            "hosts": _ANY_HOST,
            "port": {"name": "https", "number": 443, "protocol": "HTTPS"},
            "tls": {"mode": "SIMPLE", "credentialName": config.tls_secret},
        }
    ]
    if config.https_redirect:
        servers.append(
            {
                "hosts": _ANY_HOST,
                "port": {"name": "http", "number": 80, "protocol": "HTTP"},
                "tls": {"httpsRedirect": True},
            }
        )
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(MANAGED_BY)},
        "spec": {"selector": dict(config.tls_gateway_selector), "servers": servers},
    }


def make_certificate(hosts: Iterable[str], config: Config) -> Object | None:
    """Return cert-manager's Certificate of the tlsSecret; None where somebody else makes that.

    All InferenceServices share it. Raises CompileError for a host that it does not cover: clients
    would refuse to talk to it.
    """
    if not config.tls_issuer:
        return None
    names = config.certified_names
    for host in hosts:
        if not any(_covers(name, host) for name in names):
            wildcard = f"*.{host.partition('.')[2]}"
            raise CompileError(
                Reason.INVALID_SPEC,
                f"the host {host} is not covered by the certificate of {config.tls_issuer}; add "
                f'"{wildcard}" to tlsDnsNames of ConfigMap rouse-config, which has: '
                f"{', '.join(names)}",
            )
    kind, _, name = config.tls_issuer.partition("/")
    return {
        "apiVersion": f"{_ISSUERS}/v1",
        "kind": "Certificate",
        "metadata": {
            "name": _CERTIFICATE,
            # Istio reads the secret where the gateway's pods are.
            "namespace": config.auth.gateway_namespace,
            "labels": dict(MANAGED_BY),
        },
        "spec": {
            "secretName": config.tls_secret,
            "dnsNames": names,
            "issuerRef": {"group": _ISSUERS, "kind": kind, "name": name},
            "privateKey": {"rotationPolicy": "Always"},
        },
    }


def _covers(name: str, host: str) -> bool:
    """Whether a name of a certificate is for a host; a wildcard stands for one label."""
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:]
    return name == host
