"""What it takes to reach one API server as one identity. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["EXEC_API_VERSION", "ClusterConfig", "ExecPlugin"]

EXEC_API_VERSION: Final = "client.authentication.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """A command that prints an ``ExecCredential`` (client.authentication.k8s.io v1 or v1beta1)."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    api_version: str = EXEC_API_VERSION
    install_hint: str = ""
    provide_cluster_info: bool = False


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """One server and one identity. Certificates and keys are PEM; empty means "not given"."""

    server: str
    namespace: str = "default"
    ca: str = ""
    insecure: bool = False
    tls_server_name: str = ""
    proxy: str = ""
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    client_certificate: str = ""
    client_key: str = field(default="", repr=False)
    exec_plugin: ExecPlugin | None = None
