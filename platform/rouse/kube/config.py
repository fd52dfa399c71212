"""Where the API is and who we are there: kubeconfig files, or the Pod's own service account."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rouse.errors import ConfigError
from rouse.kube.cluster import ClusterConfig, ExecPlugin
from rouse.kube.connection import connect
from rouse.kube.kubeconfig import Kubeconfig, read_file

__all__ = ["ClusterConfig", "ExecPlugin", "connect", "in_cluster", "load_kubeconfig"]

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def load_kubeconfig(
    path: Path | None = None,
    *,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
    service_account: Path = _SERVICE_ACCOUNT,
) -> ClusterConfig:
    """Find and read the configuration.

    In this order: ``path``, the files of ``KUBECONFIG``, the service account inside a Pod,
    ``~/.kube/config``. Raises `ConfigError` that names the file, the entry and what to do.
    """
    if path is not None:
        return _from_files([path], context)
    listed = [Path(one) for one in environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    if listed:
        present = [one for one in listed if one.exists()]
        return _from_files(present or listed[:1], context)
    if environ.get("KUBERNETES_SERVICE_HOST") and (service_account / "token").exists():
        return in_cluster(environ=environ, service_account=service_account)
    home = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    if home.exists():
        return _from_files([home], context)
    message = (
        "no cluster is configured: give --kubeconfig, set KUBECONFIG, "
        f"or write {home} (`rouse up` starts an engine on this machine and prints its kubeconfig)"
    )
    raise ConfigError(message)


def in_cluster(
    *,
    environ: Mapping[str, str] = os.environ,
    service_account: Path = _SERVICE_ACCOUNT,
) -> ClusterConfig:
    """Read the configuration every Pod is given; its token file is read again as it rotates."""
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError("not inside a cluster: KUBERNETES_SERVICE_HOST is not set")
    namespace = service_account / "namespace"
    return ClusterConfig(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=read_file(namespace).strip() if namespace.exists() else "default",
        ca=read_file(service_account / "ca.crt"),
        token_file=service_account / "token",
    )


def _from_files(paths: Sequence[Path], context: str | None) -> ClusterConfig:
    merged = Kubeconfig()
    for path in paths:
        merged.add(path)
    return merged.resolve(context)
