"""The activator's door: the HTTP side of the gateway's external authorization, on a unix socket.

The gateway asks about a request by its headers alone. 200 lets it pass, to the address in
``x-envoy-original-dst-host`` by the cluster in ``x-rouse-replicas``; any other answer goes to the
client, its status as it travels.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import orjson
from granian.constants import Interfaces
from granian.server.embed import Server

from rouse.embedded.knative.activator import (
    ActivationFailedError,
    ActivationTimeoutError,
    Activator,
    Admission,
    QueueFullError,
    UnknownRevisionError,
)
from rouse.embedded.knative.names import NAMESPACE_HEADER, REVISION_HEADER
from rouse.embedded.limits import CLUSTER_HEADER
from rouse.embedded.refusals import travel_status
from rouse.errors import EngineError
from rouse.kube.objects import Key

__all__ = ["ActivatorApp", "ActivatorServer", "answer", "refusal"]

logger = logging.getLogger(__name__)

DESTINATION_HEADER: Final = "x-envoy-original-dst-host"
_TRACE: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C's traceparent."""
_CONNECTIONS: Final = 65536
_START_TIMEOUT_S: Final = 5.0
_STOP_TIMEOUT_S: Final = 5.0

Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers, body."""


class _Headers(Protocol):
    def get(self, key: str, default: Any = None) -> Any: ...


class _Scope(Protocol):
    proto: str

    @property
    def headers(self) -> _Headers: ...

    @property
    def authority(self) -> str | None: ...


class _HttpProtocol(Protocol):
    async def client_disconnect(self) -> None: ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...


def answer(admission: Admission) -> Answer:
    """Let the request pass; one that waited learns what for."""
    headers = [
        (DESTINATION_HEADER, f"{admission.endpoint.host}:{admission.endpoint.port}"),
        (CLUSTER_HEADER, admission.cluster),
    ]
    if admission.activation is not None:
        headers.append(("server-timing", admission.activation.server_timing()))
    return 200, headers, b""


def refusal(error: EngineError) -> Answer:
    """What the client is to get instead of an answer of its own."""
    status, retry_after = 503, 0
    if isinstance(error, UnknownRevisionError):
        status = 404
    elif isinstance(error, ActivationTimeoutError):
        status = 504
    elif isinstance(error, QueueFullError | ActivationFailedError):
        retry_after = error.retry_after_s
    headers = [("content-type", "application/json")]
    if retry_after:
        headers.append(("retry-after", str(retry_after)))
    return travel_status(status), headers, orjson.dumps({"error": str(error)})


class ActivatorApp:
    """The RSGI application. ``by_host(host)`` finds the revision of a request without headers."""

    def __init__(self, activator: Activator, by_host: Callable[[str], Key | None]) -> None:
        self._activator = activator
        self._by_host = by_host

    async def __rsgi__(self, scope: _Scope, protocol: _HttpProtocol) -> None:
        """Answer one question of the gateway; give up when the client has."""
        if scope.proto != "http":
            return
        key = self._key(scope)
        if key is None:
            error = UnknownRevisionError(
                f"no revision for this request: neither {REVISION_HEADER} nor its host names one"
            )
            protocol.response_bytes(*refusal(error))
            return
        admission = asyncio.ensure_future(self._answer(key, _trace_id(scope)))
        # What is ready at once is answered at once: no watch over the client is needed.
        await asyncio.sleep(0)
        if not admission.done():
            await self._or_disconnect(admission, protocol)
        if not admission.cancelled():
            protocol.response_bytes(*admission.result())

    async def _answer(self, key: Key, trace_id: str) -> Answer:
        try:
            return answer(await self._activator.admit(key, trace_id=trace_id))
        except EngineError as error:
            return refusal(error)
        except Exception:
            logger.exception("%s: the activator failed", key)
            return refusal(EngineError(f"revision {key}: the activator failed; see its log"))

    @staticmethod
    async def _or_disconnect(admission: asyncio.Future[Answer], protocol: _HttpProtocol) -> None:
        gone = asyncio.ensure_future(protocol.client_disconnect())
        either: set[asyncio.Future[Any]] = {admission, gone}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not admission.done():
                admission.cancel()
                await asyncio.gather(admission, return_exceptions=True)

    def _key(self, scope: _Scope) -> Key | None:
        revision = scope.headers.get(REVISION_HEADER.lower())
        namespace = scope.headers.get(NAMESPACE_HEADER.lower())
        if revision and namespace:
            return Key(namespace, revision)
        host = scope.headers.get("host") or scope.authority or ""
        return self._by_host(host.partition(":")[0])


def _trace_id(scope: _Scope) -> str:
    """The trace a request belongs to; empty where it has none."""
    found = _TRACE.fullmatch(scope.headers.get("traceparent") or "")
    return found[1] if found else ""


class ActivatorServer:
    """Serves an application on a unix socket, in this event loop."""

    def __init__(self, app: ActivatorApp, socket: Path) -> None:
        self._socket = socket
        self._server = Server(
            app,
            uds=socket,
            interface=Interfaces.RSGI,
            backlog=4096,
            backpressure=_CONNECTIONS,
            websockets=False,
            log_enabled=False,
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; returns when the socket takes connections."""
        self._socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._socket.unlink(missing_ok=True)
        # Its start says that embedding is experimental; that is known, and pinned.
        logging.getLogger("_granian").setLevel(logging.ERROR)
        self._task = asyncio.create_task(self._server.serve(), name="activator server")
        async with asyncio.timeout(_START_TIMEOUT_S):
            while not await self._listening():
                if self._task.done():
                    self._task.result()
                    raise EngineError(f"the activator's server on {self._socket} ended at once")
                await asyncio.sleep(0.002)

    async def _listening(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self._socket))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def stop(self) -> None:
        """Stop listening and let what is being answered end, for a bounded time."""
        if self._task is None:
            return
        self._server.stop()  # type: ignore[no-untyped-call]
        _, late = await asyncio.wait({self._task}, timeout=_STOP_TIMEOUT_S)
        for task in late:
            task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self._socket.unlink(missing_ok=True)
