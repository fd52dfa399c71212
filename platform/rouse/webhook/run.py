"""The webhook process: certificate, copies of the settings, server; until told to stop."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from rouse.daemon.endpoints import Checks, Ports, serve_endpoints
from rouse.daemon.logs import set_up_logs
from rouse.daemon.loop import loop_factory, stop_signal
from rouse.errors import ConfigError, RouseError
from rouse.kube.client import KubeClient
from rouse.kube.config import ClusterConfig, connect, load_kubeconfig
from rouse.kube.objects import Key
from rouse.webhook.certificates.given import FileCertificates, SecretCertificates
from rouse.webhook.facts import FactFinder
from rouse.webhook.handlers import Handlers
from rouse.webhook.metrics import Metrics
from rouse.webhook.server import HttpsServer
from rouse.webhook.sources import Sources
from rouse.webhook.tls import Pair, ServerCertificate

__all__ = ["SECRET", "Certificates", "Options", "run", "run_webhook"]

logger = logging.getLogger(__name__)

SECRET: Final = Key("rouse-system", "rouse-webhook-certs")

_NAME: Final = "rouse-webhook"


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Options:
    """How a webhook process runs.

    The certificate is made and renewed in ``secret``; with ``files`` it is read from there, with
    ``cert_manager`` the Secret is only followed. ``drain`` is how many seconds calls are still
    taken after the end was asked for, until no API server knows the address any more.
    """

    host: str = ""
    port: int = 9443
    secret: Key = SECRET
    service: str = _NAME
    configuration: str = _NAME
    cert_manager: bool = False
    files: tuple[Path, Path] | None = None
    ports: Ports = field(default_factory=Ports)
    drain: float = 5.0


class Certificates(Protocol):
    """Where pairs come from."""

    async def run(self, serve: Callable[[Pair], None]) -> None:
        """Give every new pair to ``serve``, until cancelled."""


async def run(
    config: ClusterConfig,
    options: Options | None = None,
    *,
    ready: Callable[[int], None],
    clock: Callable[[], datetime] = _utc_now,
) -> None:
    """Serve the webhooks until cancelled or SIGTERM or SIGINT comes.

    ``ready`` is told the port once calls are answered. Raises `ApiError` when the settings cannot
    be read, `EngineError` when a port is taken.
    """
    options = options or Options()
    async with connect(config) as client, stop_signal() as stop:
        process = _Process(client, options, clock, stop)
        checks = Checks(alive=list, ready=process.lacks)
        async with serve_endpoints(options.ports, process.metrics.render, checks):
            await process.run(ready)


def run_webhook(
    kubeconfig: Path | None,
    options: Options | None = None,
    *,
    log_format: str = "text",
    ready_fd: int | None = None,
) -> int:
    """Serve the webhooks in this process; return its exit status.

    ``kubeconfig`` None means the usual places (see `load_kubeconfig`). Once calls are answered,
    ``ready PORT`` and a newline are written to ``ready_fd``, which is then closed.
    """
    set_up_logs(log_format)

    def ready(port: int) -> None:
        logger.info("ready on port %d", port)
        if ready_fd is not None:
            os.write(ready_fd, f"ready {port}\n".encode())
            os.close(ready_fd)

    try:
        if importlib.util.find_spec("cryptography") is None:
            raise ConfigError(
                "the webhooks need the library cryptography: pip install cryptography"
            )
        config = load_kubeconfig(kubeconfig)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(run(config, options, ready=ready))
    except RouseError as error:
        logger.error("%s", error)
        return 1
    return 0


class _Process:
    """What runs in a webhook process, and how it fares."""

    def __init__(
        self,
        client: KubeClient,
        options: Options,
        clock: Callable[[], datetime],
        stop: asyncio.Event,
    ) -> None:
        self._options = options
        self._clock = clock
        self._stop = stop
        self._certificate = ServerCertificate()
        self._loaded = asyncio.Event()
        self._certificates = _certificates(client, options, clock)
        self._sources = Sources(client)
        self.metrics = Metrics(
            expires=lambda: self._certificate.expires,
            clock=clock,
            problem=lambda: self._sources.problem,
        )
        handlers = Handlers(self._sources, FactFinder(client), self.metrics)
        self._server = HttpsServer(
            handlers.handle, self._certificate.context, host=options.host, port=options.port
        )

    async def run(self, ready: Callable[[int], None]) -> None:
        """Serve until the stop is asked for."""
        async with AsyncExitStack() as stack:
            await self._sources.start()
            stack.push_async_callback(self._sources.stop)
            keeping = asyncio.create_task(self._certificates.run(self._serve), name="certificates")
            stack.push_async_callback(_end, keeping)
            stopping = asyncio.create_task(self._stop.wait())
            stack.push_async_callback(_end, stopping)
            starting = asyncio.create_task(self._start())
            stack.push_async_callback(_end, starting)
            await asyncio.wait([keeping, stopping, starting], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                stack.push_async_callback(self._server.stop)
                ready(self._server.port)
                await asyncio.wait([keeping, stopping], return_when=asyncio.FIRST_COMPLETED)
            if keeping.done():
                keeping.result()
            if self._server.is_serving:
                logger.info("stopping: calls are taken for %g s more", self._options.drain)
                await asyncio.sleep(self._options.drain)

    def lacks(self) -> list[str]:
        """Say why no call should be sent here; nothing when all is well."""
        if self._stop.is_set():
            return ["stopping"]
        problems = self._certificate.lacks(self._clock())
        if self._sources.unsynced:
            problems.append(f"not listed yet: {', '.join(self._sources.unsynced)}")
        return problems or ([] if self._server.is_serving else ["not listening yet"])

    async def _start(self) -> None:
        await self._sources.synced()
        await self._loaded.wait()
        await self._server.start()

    def _serve(self, pair: Pair) -> None:
        self._certificate.load(pair)
        self._loaded.set()


def _certificates(
    client: KubeClient, options: Options, clock: Callable[[], datetime]
) -> Certificates:
    if options.files is not None:
        return FileCertificates(*options.files)
    if options.cert_manager:
        return SecretCertificates(client, options.secret)
    # Given certificates are only read: what makes them need not be loaded.
    from rouse.webhook.certificates.own import OwnCertificates, Place

    service = Key(options.secret.namespace, options.service)
    return OwnCertificates(client, Place(options.secret, service, options.configuration), clock)


async def _end(task: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
