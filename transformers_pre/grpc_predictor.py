"""Asking the predictor V2 over gRPC: one channel a host, as many calls at a time as allowed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

import grpc
from grpc import ChannelConnectivity as State
from grpc import StatusCode
from grpc.aio import AioRpcError, Channel

from predictors.serving.errors import (
    DeadlineError,
    InvalidInputError,
    ModelLoadError,
    RequestError,
    UnsupportedError,
)
from predictors.serving.grpc.asking import answered, asked, streamed
from predictors.serving.grpc.statuses import RETRY_PUSHBACK, status_of
from predictors.serving.inference import InferenceResponse
from predictors.serving.passing import lineage_of
from transformers_pre.errors import PredictorError, UnreachableError
from transformers_pre.lineage import tagged
from transformers_pre.predictor import PredictorSettings, passed_on
from transformers_pre.wire import to_request

__all__ = ["GrpcPredictor"]

_INFER: Final = "/inference.GRPCInferenceService/ModelInfer"
_STREAM: Final = "/inference.GRPCInferenceService/ModelStreamInfer"
_PORTS: Final = {False: 80, True: 443}
"""Where a host without a port is asked, as by KServe: the Service's port, whatever the pod's."""
_PAUSE_S: Final = 0.05
_MESSAGE: Final = 500
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A name with several addresses, as of a headless Service, is asked at all of them.
    ("grpc.lb_policy_name", "round_robin"),
    # A call is sent once: what may have arrived is not repeated.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # How long one connection may take to be made.
    ("grpc.min_reconnect_backoff_ms", 10_000),
    ("grpc.dns_min_time_between_resolutions_ms", 500),
)

_FORM: Final = ("stream-response", "mlserver")
"""Asks Rouse's server for errors with a status; Triton answers in its own form all the same."""

_Unary: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"
_Stream: TypeAlias = "grpc.aio.StreamStreamMultiCallable[bytes, bytes]"


class GrpcPredictor:
    """One predictor that is asked V2 over gRPC. Its coroutines run in one event loop."""

    def __init__(self, settings: PredictorSettings, forwarded: Sequence[str] = ()) -> None:
        """Raises `ModelLoadError` where the certificates to trust cannot be read."""
        self._settings = settings
        self._forwarded = tuple(forwarded)
        self._credentials = _credentials() if settings.tls else None
        self._channels: dict[str, Channel] = {}
        self._free = asyncio.Semaphore(settings.connections)

    def encode(self, payload: object) -> bytes:
        """The ModelInferRequest for what `preprocess` returned, with raw contents.

        Raises `InvalidInputError` for a body without tensors, `TypeError` for what is no payload.
        """
        return asked(to_request(payload), self._settings.model_name)

    async def ask(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        deadline: float | None = None,
        explain: bool = False,
    ) -> InferenceResponse:
        """Call ModelInfer and return the tensors of the answer; see `Predictor.ask`."""
        if explain:
            raise UnsupportedError(
                "Explanations have no gRPC call. Give --predictor_protocol v1 or v2."
            )
        until = self._until(deadline)
        async with self._place(until):
            for host, is_last in self._hosts(headers):
                channel = await self._connected(host, until, patient=is_last)
                is_sent = channel.get_state() is State.READY
                call: _Unary = channel.unary_unary(_INFER)
                told = self._metadata(headers)
                try:
                    data = await call(body, metadata=told, timeout=_left_s(until))
                except AioRpcError as error:
                    self._refuse(error, channel, host, is_last=is_last, is_sent=is_sent)
                else:
                    return _read(answered, data, host)
        raise AssertionError("unreachable: the last host answers or refuses")

    async def stream(
        self, body: bytes, headers: Mapping[str, str], *, deadline: float | None = None
    ) -> AsyncGenerator[InferenceResponse, None]:
        """Call ModelStreamInfer with one request and return its answers as they come."""
        # No timeout is open at a yield: it would end whoever waits for the next part there.
        until = self._until(deadline)
        async with self._place(until):
            for host, is_last in self._hosts(headers):
                channel = await self._connected(host, until, patient=is_last)
                is_sent = channel.get_state() is State.READY
                ask: _Stream = channel.stream_stream(_STREAM)
                told = (*self._metadata(headers), _FORM)
                call = ask(iter((body,)), metadata=told, timeout=_left_s(until))
                try:
                    async for data in call:
                        yield _read(streamed, data, host)
                except AioRpcError as error:
                    self._refuse(error, channel, host, is_last=is_last, is_sent=is_sent)
                else:
                    return
                finally:
                    call.cancel()

    async def close(self) -> None:
        """Close the connections; calls that are under way are cancelled."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close()

    def _hosts(self, headers: Mapping[str, str]) -> list[tuple[str, bool]]:
        """Whom to ask: the side of the canary, then whoever is there; and which is the last."""
        host = self._settings.host
        side = tagged(host, lineage_of(headers))
        return [(host, True)] if side == host else [(side, False), (host, True)]

    def _metadata(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """The headers that gRPC can carry: ASCII, and not of the names that mean bytes."""
        told = dict(passed_on(headers, self._forwarded))
        return tuple(
            (name, value)
            for name, value in told.items()
            if value.isascii() and value.isprintable() and not name.endswith("-bin")
        )

    def _until(self, deadline: float | None) -> float:
        until = asyncio.get_running_loop().time() + self._settings.timeout_s
        return until if deadline is None else min(until, deadline)

    @asynccontextmanager
    async def _place(self, until: float) -> AsyncIterator[None]:
        """Wait for a free place among the calls. Raises `DeadlineError`."""
        try:
            async with asyncio.timeout_at(until):
                await self._free.acquire()
        except TimeoutError:
            raise _late(self._settings.host) from None
        try:
            yield
        finally:
            self._free.release()

    async def _connected(self, host: str, until: float, *, patient: bool) -> Channel:
        """The channel of a host, once it is connected or has failed often enough.

        Raises `DeadlineError`.
        """
        channel = self._channels.get(host)
        if channel is None:
            channel = self._channels[host] = self._opened(host)
        patience = _PAUSE_S * (2**self._settings.retries - 1) if patient else 0.0
        try:
            async with asyncio.timeout_at(until):
                await _settled(channel, patience)
        except TimeoutError:
            raise _late(host) from None
        return channel

    def _opened(self, host: str) -> Channel:
        # An IPv6 address has colons, and its brackets before the port.
        target = host if ":" in host.rpartition("]")[2] else f"{host}:{_PORTS[self._settings.tls]}"
        if self._credentials is None:
            return grpc.aio.insecure_channel(target, options=_OPTIONS)
        return grpc.aio.secure_channel(target, self._credentials, options=_OPTIONS)

    def _refuse(
        self, error: AioRpcError, channel: Channel, host: str, *, is_last: bool, is_sent: bool
    ) -> None:
        """Raise what the client is told; nothing where another host is to be asked."""
        code = error.code()
        # A gateway says so of a host that it does not have, in gRPC's words for a 404.
        if not is_last and (not is_sent or code is StatusCode.UNIMPLEMENTED):
            return
        # What a server itself answers leaves its connection as it was.
        answered = channel.get_state() is State.READY
        said = (error.details() or code.name)[:_MESSAGE]
        if code is StatusCode.DEADLINE_EXCEEDED:
            raise _late(host) from error
        if code is StatusCode.UNAVAILABLE and not answered:
            raise UnreachableError(
                f"The predictor {host} cannot be reached over gRPC: {said}. See that it is up, "
                "that it serves gRPC (--grpc_port) and that its port there is named h2c."
            ) from error
        raise PredictorError(
            f"The predictor {host} answered {code.name}: {said}",
            status_of(code),
            _retry_after(error),
        ) from error


def _credentials() -> grpc.ChannelCredentials:
    """TLS that trusts what SSL_CERT_FILE names, as over HTTP; gRPC's own list without it."""
    named = os.environ.get("SSL_CERT_FILE")
    try:
        return grpc.ssl_channel_credentials(Path(named).read_bytes() if named else None)
    except OSError as error:
        raise ModelLoadError(f"SSL_CERT_FILE: {named} cannot be read: {error.strerror}.") from error


async def _settled(channel: Channel, patience: float) -> None:
    """Wait until a channel is connected, or ``patience`` seconds from its first failure on."""
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as limit:
            while (state := channel.get_state(try_to_connect=True)) is not State.READY:
                if state is State.TRANSIENT_FAILURE and limit.when() is None:
                    limit.reschedule(asyncio.get_running_loop().time() + patience)
                await channel.wait_for_state_change(state)


def _left_s(until: float) -> float:
    return until - asyncio.get_running_loop().time()


def _late(host: str) -> DeadlineError:
    return DeadlineError(f"The predictor {host} did not answer in time.")


def _read(read: Callable[[bytes], InferenceResponse], data: bytes, host: str) -> InferenceResponse:
    try:
        return read(data)
    except InvalidInputError as error:
        raise UnreachableError(
            f"The predictor {host} answered with something else than tensors: {error}"
        ) from None
    except RequestError as error:
        raise PredictorError(f"The predictor {host} answered: {error}", error.status) from None


def _retry_after(error: AioRpcError) -> str | None:
    """The predictor's wish in whole seconds, if it has one."""
    for name, value in error.trailing_metadata() or ():
        if name == RETRY_PUSHBACK and str(value).isdecimal():
            return str(-(-int(value) // 1000))
    return None
