"""Kubeconfig files, read and merged as kubectl does."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rouse.errors import ConfigError
from rouse.kube.cluster import EXEC_API_VERSION, ClusterConfig, ExecPlugin

__all__ = ["Kubeconfig", "read_file"]


class Kubeconfig:
    """Kubeconfig files merged as kubectl merges them: the first to name an entry wins.

    Every problem is a `ConfigError` that names the file and the entry.
    """

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._context = ""
        self._entries: dict[str, dict[str, _Entry]] = {"cluster": {}, "user": {}, "context": {}}

    def add(self, path: Path) -> None:
        """Read one more file."""
        import yaml  # a controller in a Pod never needs it, and it takes 20 ms to load

        self._paths.append(path)
        try:
            document = yaml.safe_load(read_file(path))
        except yaml.YAMLError as error:
            raise ConfigError(f"{path}: not a kubeconfig, it is not YAML: {error}") from error
        if document is None:
            return
        if not isinstance(document, dict):
            raise ConfigError(f"{path}: not a kubeconfig, the top level is no mapping")
        self._context = self._context or str(document.get("current-context") or "")
        for kind in self._entries:
            for one in document.get(f"{kind}s") or ():
                self._keep(kind, one, path)

    def resolve(self, context: str | None = None) -> ClusterConfig:
        """Return what a context, or the current one, stands for."""
        name = context or self._context
        if not name:
            raise ConfigError(f"{self._where()}: no current-context; set one or name a context")
        chosen = self._entry("context", name)
        cluster = self._entry("cluster", chosen.text("cluster"))
        user_name = chosen.text("user")
        user = self._entry("user", user_name) if user_name else _Entry("", Path(), {})
        server = cluster.text("server")
        if not server.startswith(("http://", "https://")):
            raise ConfigError(f"{cluster.where}: server must be an http(s) URL, it is {server!r}")
        token_file = user.text("tokenFile")
        return ClusterConfig(
            server=server.rstrip("/"),
            namespace=chosen.text("namespace") or "default",
            ca=cluster.pem("certificate-authority"),
            insecure=bool(cluster.data.get("insecure-skip-tls-verify")),
            tls_server_name=cluster.text("tls-server-name"),
            proxy=cluster.text("proxy-url"),
            token="" if token_file else user.text("token"),
            token_file=user.base / token_file if token_file else None,
            username=user.text("username"),
            password=user.text("password"),
            client_certificate=user.pem("client-certificate"),
            client_key=user.pem("client-key"),
            exec_plugin=user.plugin(),
        )

    def _keep(self, kind: str, one: Any, path: Path) -> None:
        if not isinstance(one, dict) or "name" not in one:
            raise ConfigError(f"{path}: an entry of {kind}s has no name")
        where = f"{path}: {kind} {one['name']!r}"
        data = one.get(kind) or {}
        if not isinstance(data, dict):
            raise ConfigError(f"{where}: must be a mapping")
        self._entries[kind].setdefault(str(one["name"]), _Entry(where, path.parent, data))

    def _where(self) -> str:
        return ", ".join(map(str, self._paths))

    def _entry(self, kind: str, name: str) -> _Entry:
        try:
            return self._entries[kind][name]
        except KeyError:
            known = ", ".join(sorted(self._entries[kind])) or "none"
            message = f"{self._where()}: no {kind} {name!r}; there are: {known}"
            raise ConfigError(message) from None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A cluster, user or context of a kubeconfig; relative files are next to that kubeconfig."""

    where: str
    base: Path
    data: Mapping[str, Any]

    def text(self, name: str) -> str:
        value = self.data.get(name)
        return "" if value is None else str(value)

    def pem(self, name: str) -> str:
        """Read ``<name>-data`` (base64), else the file named by ``<name>``."""
        inline = self.text(f"{name}-data")
        if inline:
            try:
                return base64.b64decode(inline, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError) as error:
                raise ConfigError(f"{self.where}: {name}-data is not base64 of a PEM") from error
        file = self.text(name)
        return read_file(self.base / file) if file else ""

    def plugin(self) -> ExecPlugin | None:
        data = self.data.get("exec")
        if data is None:
            if "auth-provider" in self.data:
                message = f"{self.where}: auth-provider was removed from Kubernetes; use exec"
                raise ConfigError(message)
            return None
        if not data.get("command"):
            raise ConfigError(f"{self.where}: exec has no command")
        command = str(data["command"])
        if os.sep in command:
            # Like kubectl: a bare name is looked up in PATH, a path is relative to the file.
            command = str(self.base / command)
        return ExecPlugin(
            command=command,
            args=tuple(str(one) for one in data.get("args") or ()),
            env={str(one["name"]): str(one["value"]) for one in data.get("env") or ()},
            api_version=str(data.get("apiVersion") or EXEC_API_VERSION),
            install_hint=str(data.get("installHint") or ""),
            provide_cluster_info=bool(data.get("provideClusterInfo")),
        )


def read_file(path: Path) -> str:
    """Read a text file; `ConfigError` if that cannot be done."""
    try:
        return path.expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(f"{path}: cannot be read: {reason}") from error
