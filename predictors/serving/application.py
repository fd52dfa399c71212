"""The HTTP application: a request in, one answer out, whatever happens.

It speaks RSGI, Granian's interface. The data plane says where a model runs: here, when that is
cheaper than waiting for it. Large bodies are read into tensors, and written, in threads, so that
health checks keep being answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Final, TypeVar

import orjson

from predictors.serving.bodies import Bodies, Exchange, Scope
from predictors.serving.dataplane import DataPlane
from predictors.serving.endpoint import Endpoint
from predictors.serving.errors import MisfitError, OverloadedError, RequestError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.lanes import Lane, Verb
from predictors.serving.observation import Call, Observers
from predictors.serving.patience import ClientGoneError, patience_of, while_there
from predictors.serving.protocols import Encoded
from predictors.serving.repository.endpoints import Action
from predictors.serving.router import JSON, Router
from predictors.serving.routes import HttpRequest, Route
from predictors.serving.streaming import send, sse

__all__ = ["Application"]

_log = logging.getLogger(__name__)

_LARGE_BYTES: Final = 256 * 1024
_WOKEN_SECONDS: Final = 5.0
"""An activator passes a request on as soon as it has found the replica ready."""

_T = TypeVar("_T")


class Application:
    """Answers requests from a data plane. All of it runs in one event loop."""

    def __init__(self, plane: DataPlane, router: Router) -> None:
        self._plane = plane
        self._router = router
        self._metrics = plane.metrics
        self._limits = plane.settings.limits
        self._bodies = Bodies(self._limits)
        self._executor: ThreadPoolExecutor | None = None
        self._waiting: set[asyncio.Future[InferenceResponse]] = set()
        self._cut_off = False
        self._start_told = ""

    def tell_start(self, phases: Mapping[str, float], total: float) -> None:
        """Tell the next request of the start it has waited for; durations in seconds.

        Called when all is ready: where no activator of ours tells it, who woke the model learns it
        from the first answer. One that comes later has not waited.
        """
        process = max(0.0, total - sum(phases.values()))
        told = {"process": process, **phases}
        self._start_told = ", ".join(f"{name};dur={s * 1e3:.3f}" for name, s in told.items())
        asyncio.get_running_loop().call_later(_WOKEN_SECONDS, self._forget_start)

    def _forget_start(self) -> None:
        self._start_told = ""

    def drain(self) -> None:
        """From now on say in every answer that its connection closes."""
        self._router.draining = True

    def cut_off(self) -> None:
        """Wait for no model any more: who still waits for one is told to ask elsewhere."""
        self._cut_off = True
        for answering in self._waiting:
            answering.cancel()

    def sweep(self) -> None:
        """Give up on bodies that do not arrive; called every now and then."""
        self._bodies.sweep()

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request. Never raises: an unforeseen error is logged and answered with 500."""
        method, path = scope.method, scope.path
        try:
            lane = self._router.lanes.get(path) if method == "POST" else None
            if lane is not None:
                await self._infer(lane, scope, exchange)
            else:
                await self._other(method, path, scope, exchange)
        except RequestError as error:
            self._fail(scope, exchange, error)
        except Exception:
            _log.exception("unforeseen error on %s %s", method, path)
            self._fail(scope, exchange, RequestError("Internal server error."))

    async def _other(self, method: str, path: str, scope: Scope, exchange: Exchange) -> None:
        target = self._router.target(method, path)
        if isinstance(target, Lane):
            await self._infer(target, scope, exchange)
        elif isinstance(target, Action):
            body = await target.run(await self._bodies.read(scope, exchange))
            self._respond(scope, exchange, 200, [("content-type", JSON)], body)
        elif isinstance(target, Route):
            try:
                await self._routed(target, scope, exchange)
            except RequestError as error:
                if target.refuse is None or isinstance(error, ClientGoneError):
                    raise
                told = target.refuse(error)
                headers = [("content-type", told.content_type), *told.headers]
                self._respond(scope, exchange, told.status, headers, told.body)
        else:
            content_type, body = target()
            self._respond(scope, exchange, 200, [("content-type", content_type)], body)

    async def _infer(self, lane: Lane, scope: Scope, exchange: Exchange) -> None:
        metrics = self._metrics
        endpoint = self._plane.endpoint(lane.name, lane.version)
        if metrics.in_flight >= self._limits.in_flight:
            endpoint.metrics.failed(OverloadedError.status)
            raise self._overloaded()
        observers = self._plane.observers
        call = _begun(observers, lane, endpoint, scope) if observers is not None else None
        metrics.in_flight += 1
        endpoint.in_flight += 1
        try:
            body = await self._bodies.read(scope, exchange)
            if call is not None:
                call.received(body)
            large = len(body) >= _LARGE_BYTES
            started = perf_counter()
            if large:
                request = await self._threaded(lane.decode, endpoint.model, body, scope.headers)
            else:
                request = lane.decode(endpoint.model, body, scope.headers)
            preprocess = perf_counter() - started
            if lane.verb is Verb.INFER and not large and endpoint.inline:
                run = endpoint.run
                response = run(request) if call is None else call.run(run, request)
            elif lane.verb is Verb.STREAM:
                await self._stream(lane, endpoint, request, scope, exchange, call)
                return
            else:
                response = await self._queued(lane, endpoint, request, scope, exchange, call)
            response.preprocess = preprocess
            started = perf_counter()
            if large:
                encoded = await self._threaded(lane.encode, endpoint.model, request, response)
            else:
                encoded = lane.encode(endpoint.model, request, response)
            response.postprocess = perf_counter() - started
            if call is not None:
                call.answered(encoded.body, encoded.content_type, response)
        except RequestError as refused:
            error = refused
            if isinstance(refused, MisfitError) and request.rows:
                error = refused.of_rows(request.rows)
            endpoint.metrics.failed(error.status)
            if call is not None:
                call.refused(error.status, str(error))
            raise error from refused.__cause__
        finally:
            metrics.in_flight -= 1
            endpoint.leave()
            if call is not None:
                call.end()
        endpoint.metrics.succeeded(response)
        headers = _headers(encoded, response)
        if self._start_told:
            headers.append(("server-timing", self._start_told))
            self._start_told = ""
        self._respond(scope, exchange, 200, headers, encoded.body)

    async def _queued(
        self,
        lane: Lane,
        endpoint: Endpoint,
        request: InferenceRequest,
        scope: Scope,
        exchange: Exchange,
        call: Call | None,
    ) -> InferenceResponse:
        """An answer that takes its time: with a deadline, and as long as its client is there."""
        self._told(request, scope)
        ask = endpoint.explain if lane.verb is Verb.EXPLAIN else endpoint.infer
        asking = ask(request) if call is None else call.within(ask(request))
        answering = asyncio.ensure_future(asking)
        gone = asyncio.ensure_future(exchange.client_disconnect())
        self._waiting.add(answering)
        try:
            await asyncio.wait((answering, gone), return_when=asyncio.FIRST_COMPLETED)
            if self._cut_off and answering.cancelled():
                raise OverloadedError("The server stops, and cannot wait for the model any longer.")
            if not answering.done():
                raise ClientGoneError
            return answering.result()
        finally:
            self._waiting.discard(answering)
            gone.cancel()
            answering.cancel()

    async def _stream(
        self,
        lane: Lane,
        endpoint: Endpoint,
        request: InferenceRequest,
        scope: Scope,
        exchange: Exchange,
        call: Call | None,
    ) -> None:
        """Answer in server-sent events, one a part."""
        self._told(request, scope)
        started = perf_counter()
        parts = endpoint.stream(request)
        bodies = (lane.encode(endpoint.model, request, part).body async for part in parts)
        events = sse(bodies if call is None else call.streamed(bodies, JSON))
        await while_there(exchange, send(exchange, events, self._closing(scope, _EVENTS)))
        endpoint.metrics.succeeded(InferenceResponse((), predict=perf_counter() - started))

    async def _routed(self, route: Route, scope: Scope, exchange: Exchange) -> None:
        if self._metrics.in_flight >= self._limits.in_flight:
            raise self._overloaded()
        self._metrics.in_flight += 1
        headers = dict(scope.headers.items())
        call = None
        if self._plane.observers is not None and route.method == "POST":
            call = self._plane.observers.begin(Call("http", scope.path, "", "", headers), "ask")
        try:
            body = await self._bodies.read(scope, exchange)
            query = scope.query_string
            request = HttpRequest(route.method, scope.path, query, headers, body)
            asking = route.handle(request) if call is None else call.routed(route, request)
            answer = await while_there(exchange, asking)
            told = [("content-type", answer.content_type), *answer.headers]
            if answer.stream is None:
                self._respond(scope, exchange, answer.status, told, answer.body)
            else:
                sending = send(exchange, answer.stream, self._closing(scope, told), answer.status)
                await while_there(exchange, sending)
        except RequestError as error:
            if call is not None:
                call.refused(error.status, str(error))
            raise
        finally:
            self._metrics.in_flight -= 1
            if call is not None:
                call.end()

    def _told(self, request: InferenceRequest, scope: Scope) -> None:
        """Give a request its headers and deadline, which the fast path does without."""
        request.headers = headers = dict(scope.headers.items())
        seconds = patience_of(headers)
        if seconds is not None:
            request.deadline = asyncio.get_running_loop().time() + seconds

    async def _threaded(self, work: Callable[..., _T], *arguments: object) -> _T:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._limits.threads, "bodies")
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)

    def _overloaded(self) -> OverloadedError:
        return OverloadedError(
            f"{self._metrics.in_flight} requests are in flight already; try again in a second."
        )

    def _fail(self, scope: Scope, exchange: Exchange, error: RequestError) -> None:
        if isinstance(error, ClientGoneError):
            return
        body = orjson.dumps({"error": str(error)})
        headers: Sequence[tuple[str, str]] = error.headers
        self._respond(scope, exchange, error.status, [("content-type", JSON), *headers], body)

    def _respond(
        self,
        scope: Scope,
        exchange: Exchange,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> None:
        exchange.response_bytes(status, self._closing(scope, headers), body)

    def _closing(self, scope: Scope, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        if self._router.draining and scope.http_version.startswith("1"):
            return [*headers, ("connection", "close")]
        return headers


def _begun(observers: Observers, lane: Lane, endpoint: Endpoint, scope: Scope) -> Call | None:
    """Tell the observers of an inference request; its path says which protocol it speaks."""
    model, path = endpoint.model, scope.path
    call = Call(path[1:3], path, model.name, model.version, scope.headers)
    return observers.begin(call, lane.verb.value)


_EVENTS: Final = [("content-type", "text/event-stream"), ("cache-control", "no-cache")]


def _headers(encoded: Encoded, response: InferenceResponse) -> list[tuple[str, str]]:
    timing = f"predict;dur={response.predict * 1e3:.3f}"
    if response.queue:
        timing = f"queue;dur={response.queue * 1e3:.3f}, {timing}"
    headers = [("content-type", encoded.content_type), ("server-timing", timing)]
    if encoded.headers:
        headers.extend(encoded.headers)
    if response.headers:
        headers.extend(response.headers.items())
    return headers
