"""Who we are, on every request: tokens, token files that rotate, and exec plugins."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from rouse.errors import ConfigError
from rouse.kube.cluster import ClusterConfig, ExecPlugin

__all__ = ["ExecAuth", "ExecCredential", "StaticAuth", "TokenFileAuth", "auth_of"]

_TOKEN_FILE_AGE_S: Final = 60.0
_EXEC_TIMEOUT_S: Final = 60.0
_EXPIRY_MARGIN_S: Final = 10.0

Clock = Callable[[], float]
"""Seconds since the epoch."""


class StaticAuth(httpx.Auth):
    """One ``Authorization`` header for good; empty sends none."""

    def __init__(self, header: str = "") -> None:
        self._header = header

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add the header."""
        if self._header:
            request.headers["authorization"] = self._header
        yield request


class _RenewedAuth(httpx.Auth):
    """A bearer token that is asked for again when it has aged or the API answers 401."""

    def __init__(self) -> None:
        self._token = ""
        self._good_until = 0.0
        self._lock = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add the token; once more with a new one if it is refused."""
        used = await self._current()
        _bear(request, used)
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            async with self._lock:
                if self._token == used:
                    self._good_until = 0.0
            fresh = await self._current()
            if fresh != used:
                _bear(request, fresh)
                yield request

    async def _current(self) -> str:
        if self._now() >= self._good_until:
            async with self._lock:
                if self._now() >= self._good_until:
                    self._token, self._good_until = await self._renewed()
        return self._token

    def _now(self) -> float:
        raise NotImplementedError

    async def _renewed(self) -> tuple[str, float]:
        """Return a token and the time until which it is good."""
        raise NotImplementedError


class TokenFileAuth(_RenewedAuth):
    """A token in a file that something else rotates, as the kubelet does in a Pod."""

    def __init__(self, path: Path, *, clock: Clock = time.time) -> None:
        super().__init__()
        self._path = path
        self._clock = clock

    def _now(self) -> float:
        return self._clock()

    async def _renewed(self) -> tuple[str, float]:
        try:
            token = (await asyncio.to_thread(self._path.read_text)).strip()
        except OSError as error:
            raise ConfigError(f"{self._path}: the token cannot be read: {error}") from error
        return token, self._clock() + _TOKEN_FILE_AGE_S


@dataclass(frozen=True, slots=True)
class ExecCredential:
    """What a plugin printed; ``expires`` is in seconds since the epoch."""

    token: str = ""
    certificate: str = ""
    key: str = ""
    expires: float = float("inf")

    @classmethod
    def parse(cls, output: bytes, plugin: ExecPlugin) -> ExecCredential:
        """Read a plugin's output; `ConfigError` says what is wrong with it."""
        try:
            document = orjson.loads(output)
            status: Mapping[str, Any] = document["status"]
            if document["apiVersion"] != plugin.api_version:
                message = (
                    f"{plugin.command}: printed an ExecCredential of {document['apiVersion']}, "
                    f"the kubeconfig asks for {plugin.api_version}"
                )
                raise ConfigError(message)
            stamp = status.get("expirationTimestamp")
            credential = cls(
                token=status.get("token") or "",
                certificate=status.get("clientCertificateData") or "",
                key=status.get("clientKeyData") or "",
                expires=_seconds(stamp) if stamp else float("inf"),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{plugin.command}: printed no ExecCredential ({error!r})") from error
        if not credential.token and not (credential.certificate and credential.key):
            raise ConfigError(f"{plugin.command}: gave neither a token nor a client certificate")
        return credential


class ExecAuth(_RenewedAuth):
    """Credentials from a plugin, run again when they expire or are refused.

    ``use_certificate(certificate, key)`` is called with every client certificate it hands out.
    """

    def __init__(
        self,
        plugin: ExecPlugin,
        *,
        cluster: Mapping[str, Any],
        use_certificate: Callable[[str, str], None],
        clock: Clock = time.time,
    ) -> None:
        super().__init__()
        self._plugin = plugin
        self._cluster = cluster
        self._use_certificate = use_certificate
        self._clock = clock

    def _now(self) -> float:
        return self._clock()

    async def _renewed(self) -> tuple[str, float]:
        credential = ExecCredential.parse(await self._run(), self._plugin)
        if credential.certificate:
            self._use_certificate(credential.certificate, credential.key)
        return credential.token, credential.expires - _EXPIRY_MARGIN_S

    async def _run(self) -> bytes:
        plugin = self._plugin
        info: dict[str, Any] = {
            "apiVersion": plugin.api_version,
            "kind": "ExecCredential",
            "spec": {"interactive": False},
        }
        if plugin.provide_cluster_info:
            info["spec"]["cluster"] = dict(self._cluster)
        environment = {
            **os.environ,
            **plugin.env,
            "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode(),
        }
        try:
            process = await asyncio.create_subprocess_exec(
                plugin.command,
                *plugin.args,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            hint = f"; {plugin.install_hint}" if plugin.install_hint else ""
            message = f"{plugin.command}: the credential plugin cannot run: {error}{hint}"
            raise ConfigError(message) from error
        try:
            async with asyncio.timeout(_EXEC_TIMEOUT_S):
                output, errors = await process.communicate()
        except TimeoutError as error:
            message = f"{plugin.command}: no credential within {_EXEC_TIMEOUT_S:.0f} s"
            raise ConfigError(message) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            said = errors.decode(errors="replace").strip()[-500:]
            raise ConfigError(f"{plugin.command}: exited with {process.returncode}: {said}")
        return output


def auth_of(
    config: ClusterConfig, *, use_certificate: Callable[[str, str], None]
) -> StaticAuth | TokenFileAuth | ExecAuth:
    """Choose how a configuration proves its identity; a client certificate needs no header."""
    if config.exec_plugin is not None:
        cluster = {
            "server": config.server,
            "certificate-authority-data": base64.b64encode(config.ca.encode()).decode(),
            "insecure-skip-tls-verify": config.insecure,
        }
        return ExecAuth(config.exec_plugin, cluster=cluster, use_certificate=use_certificate)
    if config.token_file is not None:
        return TokenFileAuth(config.token_file)
    if config.token:
        return StaticAuth(f"Bearer {config.token}")
    if config.username:
        pair = f"{config.username}:{config.password}".encode()
        return StaticAuth(f"Basic {base64.b64encode(pair).decode()}")
    return StaticAuth()


def _bear(request: httpx.Request, token: str) -> None:
    if token:
        request.headers["authorization"] = f"Bearer {token}"


def _seconds(stamp: str) -> float:
    when = datetime.fromisoformat(stamp)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
