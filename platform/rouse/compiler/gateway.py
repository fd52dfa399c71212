"""The Gateway of HTTPS requests, where an installation gives a certificate and no Gateway.

Istio reads the secret from the namespace of the gateway's pods, wherever the Gateway is, and takes
a host on a port from one Gateway only. So there is one for the installation, with every host.
"""

from __future__ import annotations

from rouse.api.base import Object
from rouse.compiler.config import Config
from rouse.compiler.names import MANAGED_BY

__all__ = ["make_tls_gateway"]

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
