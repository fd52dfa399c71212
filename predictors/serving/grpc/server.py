"""The gRPC server: grpc.aio with handlers of raw bytes, in the event loop of the data plane."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from typing import Any, Final

import grpc

from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import StartupError
from predictors.serving.grpc.service import INFERENCE, Service
from predictors.serving.grpc.stream import Streams
from predictors.serving.settings import Limits

__all__ = ["GrpcServer", "start_grpc"]

_log = logging.getLogger(__name__)

_KEEPALIVE_MS: Final = 60_000
_KEEPALIVE_TIMEOUT_MS: Final = 20_000
_LEAST_PING_MS: Final = 10_000
_WINDOW_BYTES: Final = 1024 * 1024
_METADATA_BYTES: Final = 64 * 1024
_FRAMING_BYTES: Final = 64 * 1024
"""What a message may be larger than the body limit, for all that is not tensors' values."""


class GrpcServer:
    """A server that answers; `port` is what it listens on."""

    def __init__(self, server: grpc.aio.Server, service: Service, port: int) -> None:
        self._server = server
        self._service = service
        self.port = port

    def drain(self) -> None:
        """From now on say that the server is not ready; calls are answered as before."""
        self._service.draining = True

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, and cut off those that are not done in `grace_s` seconds."""
        self.drain()
        await self._server.stop(grace_s)


async def start_grpc(
    plane: DataPlane,
    port: int,
    *,
    limits: Limits,
    server: Mapping[str, Any],
    host: str = "0.0.0.0",  # noqa: S104 - a predictor is reached from outside its pod
    inherited: socket.socket | None = None,
    shared: bool = False,
) -> GrpcServer:
    """Serve `plane` on a port of `host`; 0 is any free one.

    `server` holds name, version and extensions for ServerMetadata. `shared` lets other processes
    bind the same port. `inherited` is a socket that listens already, on whose address to serve
    instead: grpcio cannot take one over, so it binds beside it before it is closed, and nobody else
    can have the port in between. Connections in its backlog are reset, so they should not have been
    invited yet. Raises `StartupError` naming the port.
    """
    service = Service(plane, server)
    aio = grpc.aio.server(
        options=_options(limits, shared=shared or inherited is not None),
        maximum_concurrent_rpcs=2 * limits.in_flight,
    )
    aio.add_generic_rpc_handlers((_Handlers(service, Streams(plane)),))
    if inherited is not None:
        host, port = inherited.getsockname()[:2]
        inherited.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound = aio.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise StartupError(
            f"Cannot listen on port {port}: it is taken, or not allowed. Choose --grpc_port."
        ) from error
    finally:
        if inherited is not None:
            inherited.close()
    await aio.start()
    _log.info("gRPC on port %d", bound)
    return GrpcServer(aio, service, bound)


def _options(limits: Limits, *, shared: bool) -> list[tuple[str, int]]:
    return [
        # Unless asked for: two servers on one port by mistake would share its calls, unseen.
        ("grpc.so_reuseport", int(shared)),
        ("grpc.max_receive_message_length", limits.body_bytes + _FRAMING_BYTES),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", _METADATA_BYTES),
        ("grpc.max_concurrent_streams", limits.in_flight),
        # Measuring the bandwidth costs a ping for every read; a wide window does without.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _LEAST_PING_MS),
    ]


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a method; what it does not know grpcio answers UNIMPLEMENTED."""

    def __init__(self, service: Service, streams: Streams) -> None:
        self._handlers: dict[str, Any] = {
            path: grpc.unary_unary_rpc_method_handler(method)
            for path, method in service.methods().items()
        }
        self._handlers[f"/{INFERENCE}/ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(
            streams.model_stream_infer
        )

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        return self._handlers.get(handler_call_details.method)
