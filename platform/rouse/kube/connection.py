"""From a configuration to a client: TLS, connection limits and timeouts."""

from __future__ import annotations

import ssl
import tempfile
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from rouse import __version__
from rouse.errors import ConfigError
from rouse.kube.client import FIELD_MANAGER, KubeClient
from rouse.kube.cluster import ClusterConfig
from rouse.kube.credentials import auth_of

__all__ = ["connect", "http_client", "tls_context"]

TIMEOUT: Final = httpx.Timeout(connect=5.0, read=30.0, write=30.0, pool=30.0)
LIMITS: Final = httpx.Limits(
    # Every watch holds a connection; the rest is for requests in flight.
    max_connections=256,
    max_keepalive_connections=32,
    keepalive_expiry=60.0,
)


def connect(config: ClusterConfig, *, field_manager: str = FIELD_MANAGER) -> KubeClient:
    """Make a client for a configuration; nothing is sent yet.

    Raises `ConfigError` for certificates that cannot be used.
    """
    # For every request httpx' pool looks at all of its connections, several times: a dozen watches
    # among them would be a third of the controllers' CPU time.
    http, streams = _clients(config, 2)
    return KubeClient(http, streams=streams, field_manager=field_manager)


def http_client(config: ClusterConfig) -> httpx.AsyncClient:
    """Make the HTTP/1.1 keep-alive client under a `KubeClient`."""
    return _clients(config, 1)[0]


def _clients(config: ClusterConfig, count: int) -> list[httpx.AsyncClient]:
    """Make clients that share their credentials, each with connections of its own."""
    context = tls_context(config)

    def use_certificate(certificate: str, key: str) -> None:
        # Connections opened from now on use it; open ones live out their keep-alive.
        _load_pair(context, certificate, key, where=config.server)

    auth = auth_of(config, use_certificate=use_certificate)
    return [_client(config, context, auth) for _ in range(count)]


def _client(
    config: ClusterConfig, context: ssl.SSLContext, auth: httpx.Auth | None
) -> httpx.AsyncClient:
    client = httpx.AsyncClient(
        base_url=config.server,
        auth=auth,
        headers={
            "user-agent": f"rouse/{__version__}",
            # Compressing costs more time than the network between a cluster's own parts.
            "accept-encoding": "identity",
        },
        verify=context,
        timeout=TIMEOUT,
        limits=LIMITS,
        proxy=config.proxy or None,
        trust_env=not _is_local(config.server),
    )
    if config.tls_server_name:
        name = config.tls_server_name

        async def name_server(request: httpx.Request) -> None:
            request.extensions["sni_hostname"] = name

        client.event_hooks["request"] = [name_server]
    return client


def tls_context(config: ClusterConfig) -> ssl.SSLContext:
    """Make the TLS context: the cluster's own CA where one is given, else the system's."""
    try:
        context = ssl.create_default_context(cadata=config.ca or None)
    except (ssl.SSLError, ValueError) as error:
        message = f"{config.server}: certificate-authority holds no usable PEM certificate: {error}"
        raise ConfigError(message) from error
    if config.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.client_certificate or config.client_key:
        if not (config.client_certificate and config.client_key):
            message = f"{config.server}: client-certificate and client-key go together"
            raise ConfigError(message)
        _load_pair(context, config.client_certificate, config.client_key, where=config.server)
    return context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str, *, where: str) -> None:
    # OpenSSL only reads the pair from a file: one that none but us can read, for that moment.
    with tempfile.TemporaryDirectory(prefix="rouse-") as folder:
        pair = Path(folder) / "pair.pem"
        pair.touch(mode=0o600)
        pair.write_text(f"{certificate}\n{key}\n")
        try:
            context.load_cert_chain(pair)
        except (ssl.SSLError, OSError) as error:
            message = f"{where}: the client certificate and key cannot be used: {error}"
            raise ConfigError(message) from error


def _is_local(server: str) -> bool:
    """Whether the server is on this machine; as in kubectl, such are never proxied by default."""
    host = urlsplit(server).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
