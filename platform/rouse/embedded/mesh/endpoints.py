"""Endpoint discovery: a gRPC stream on which Envoy learns where each cluster's replicas are.

Envoy acknowledges every message, so the mesh knows, without asking, what is in effect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from rouse.embedded.mesh.polling import poll
from rouse.embedded.mesh.translate.endpoints import Endpoint
from rouse.embedded.mesh.wire import (
    ENDPOINTS_TYPE,
    DiscoveryRequest,
    FrameReader,
    encode_assignment,
    encode_response,
    frame,
)
from rouse.errors import EngineError

__all__ = ["EndpointServer", "EndpointTable"]

_LOG: Final = logging.getLogger(__name__)
_PATH: Final = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
_NOWHERE: Final[frozenset[Endpoint]] = frozenset()
_START_S: Final = 5.0
_STOP_S: Final = 5.0


class EndpointTable:
    """What Envoy shall have and what it has. Subscriptions are named ``cluster#digest``."""

    def __init__(self) -> None:
        self._wanted: dict[str, frozenset[Endpoint]] = {}
        self._accepted: dict[str, frozenset[Endpoint]] = {}
        self._changed = asyncio.Event()
        self.on_change: Iterable[_Stream] = ()

    def set(self, endpoints: Mapping[str, frozenset[Endpoint]]) -> None:
        """Set the endpoints of some clusters; only real changes are sent."""
        changed = {
            cluster for cluster, wanted in endpoints.items() if self._wanted.get(cluster) != wanted
        }
        self._wanted.update(endpoints)
        if changed:
            for stream in self.on_change:
                stream.send(changed)

    def keep_only(self, clusters: Iterable[str]) -> None:
        """Forget all other clusters."""
        kept = set(clusters)
        self._wanted = {name: one for name, one in self._wanted.items() if name in kept}

    def wanted(self, subscription: str) -> frozenset[Endpoint]:
        """Return the endpoints for a subscription; none for a cluster nobody knows."""
        return self._wanted.get(cluster_of(subscription), _NOWHERE)

    def accept(self, endpoints: Mapping[str, frozenset[Endpoint]]) -> None:
        """Note what Envoy acknowledged."""
        self._accepted.update(endpoints)
        self._announce()

    def retain(self, subscriptions: Iterable[str]) -> None:
        """Note what Envoy is subscribed to; anything else is not in effect any more."""
        kept = set(subscriptions)
        if not self._accepted.keys() <= kept:
            self._accepted = {name: one for name, one in self._accepted.items() if name in kept}
            self._announce()

    def is_effective(self, subscription: str, endpoints: frozenset[Endpoint] | None = None) -> bool:
        """Whether Envoy acknowledged exactly these (default: the wanted) endpoints."""
        expected = self.wanted(subscription) if endpoints is None else endpoints
        return self._accepted.get(subscription) == expected

    def accepted(self, subscription: str) -> frozenset[Endpoint]:
        """Return the endpoints Envoy acknowledged; none for what it never asked for."""
        return self._accepted.get(subscription, _NOWHERE)

    async def changed(self) -> None:
        """Wait for the next news from Envoy."""
        await self._changed.wait()

    async def effective(self, subscriptions: Iterable[str], timeout: float) -> bool:
        """Wait until all subscriptions are in effect; False when the timeout (s) passes."""
        waiting = list(subscriptions)
        try:
            async with asyncio.timeout(timeout):
                while waiting := [one for one in waiting if not self.is_effective(one)]:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class _Stream:
    """One stream of Envoy's. Sent resources wait for their acknowledgement by nonce."""

    def __init__(self, table: EndpointTable, transport: Any) -> None:
        self._table = table
        self._transport = transport
        self._names: dict[str, None] = {}
        self._unacknowledged: dict[str, dict[str, frozenset[Endpoint]]] = {}
        self._nonce = 0
        self._outbox: asyncio.Queue[set[str]] = asyncio.Queue()

    def send(self, clusters: set[str]) -> None:
        """Queue the subscribed ones of these clusters."""
        names = {name for name in self._names if cluster_of(name) in clusters}
        if names:
            self._outbox.put_nowait(names)

    def handle(self, request: DiscoveryRequest) -> None:
        """Take a subscription, an acknowledgement or a refusal."""
        sent = self._unacknowledged.pop(request.nonce, {})
        if request.error:
            _LOG.error("Envoy refused endpoints of %s: %s", ", ".join(sent), request.error)
        new = {name for name in request.names if name not in self._names}
        self._names = dict.fromkeys(request.names)
        self._table.retain(self._names)
        if sent and not request.error:
            self._table.accept({name: one for name, one in sent.items() if name in self._names})
        if new:
            self._outbox.put_nowait(new)

    async def write(self) -> None:
        """Send what is queued, all that gathered meanwhile in one message."""
        while True:
            names = await self._outbox.get()
            while not self._outbox.empty():
                names |= self._outbox.get_nowait()
            listed = {name: self._table.wanted(name) for name in sorted(names)}
            self._nonce += 1
            nonce = str(self._nonce)
            self._unacknowledged[nonce] = listed
            resources = [encode_assignment(name, sorted(one)) for name, one in listed.items()]
            await self._transport.send_bytes(frame(encode_response(nonce, nonce, resources)))


class EndpointServer:
    """Serves an `EndpointTable` to Envoy on a unix socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._streams: set[_Stream] = set()
        self._task: asyncio.Task[None] | None = None
        self._server: Server | None = None
        self.table = EndpointTable()
        self.table.on_change = self._streams

    @property
    def streams(self) -> int:
        """Open streams: one for each running Envoy."""
        return len(self._streams)

    async def start(self) -> None:
        """Listen; returns when Envoy can connect."""
        self._socket.unlink(missing_ok=True)
        # Its start says that embedding is experimental; that is known.
        logging.getLogger("_granian").setLevel(logging.ERROR)
        self._server = Server(
            self._serve,
            uds=self._socket,
            interface=Interfaces.RSGI,
            http=HTTPModes.http2,
            websockets=False,
            log_enabled=False,
        )
        self._task = asyncio.create_task(self._server.serve(), name="endpoint server")
        try:
            async with asyncio.timeout(_START_S):
                await poll(self._is_listening)
        except TimeoutError:
            message = (
                f"nothing listens on {self._socket} after {_START_S:g} s; is its folder there?"
            )
            raise EngineError(message) from None

    async def stop(self) -> None:
        """Stop listening. Envoy must be stopped before, so that no stream is open."""
        if self._server is None or self._task is None:
            return
        self._server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([self._task], timeout=_STOP_S)
        self._server = self._task = None
        self._socket.unlink(missing_ok=True)

    async def _is_listening(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        writer.close()
        return True

    async def _serve(self, scope: Any, protocol: Any) -> None:
        if scope.path != _PATH:
            protocol.response_empty(404, [])
            return
        transport = protocol.response_stream(200, [("content-type", "application/grpc")])
        stream = _Stream(self.table, transport)
        self._streams.add(stream)
        writer = asyncio.create_task(stream.write(), name="endpoint stream")
        try:
            await self._read(stream, protocol)
        finally:
            self._streams.discard(stream)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            if not self._streams:
                self.table.retain(())

    async def _read(self, stream: _Stream, protocol: Any) -> None:
        reader = FrameReader()
        try:
            async for chunk in protocol:
                if not chunk:
                    # Over HTTP/2 granian goes on for ever with nothing once the peer is gone.
                    break
                for message in reader.feed(bytes(chunk)):
                    request = DiscoveryRequest.decode(message)
                    if request.type_url == ENDPOINTS_TYPE:
                        stream.handle(request)
        except EngineError as error:
            _LOG.error("%s; closing the stream", error)


def cluster_of(subscription: str) -> str:
    """Return the cluster's name without the digest of its configuration."""
    return subscription.partition("#")[0]
