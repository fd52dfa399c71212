"""The HTTP application of a router: a request in, the graph's answer out, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from time import perf_counter
from typing import Final

import orjson

from predictors.graph.asking import Asking
from predictors.graph.errors import RouteError
from predictors.graph.knocking import Knocking
from predictors.graph.messages import JSON, Message, content_of
from predictors.graph.propagation import Propagation
from predictors.graph.routing import Choose, by_weight, route
from predictors.graph.spec import Graph, Step
from predictors.graph.upstream import Client
from predictors.graph.watching import Watching, tell
from predictors.serving.bodies import Bodies, Exchange, Scope
from predictors.serving.errors import (
    MethodNotAllowedError,
    ModelNotReadyError,
    NotFoundError,
    OverloadedError,
    RequestError,
)
from predictors.serving.observation import Call
from predictors.serving.patience import ClientGoneError, patience_of, while_there
from predictors.serving.settings import Limits
from predictors.serving.streaming import send, told

__all__ = ["Application"]

_log = logging.getLogger(__name__)

_STOPS: Final = "The server stops, and cannot wait any longer."
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

Page = Callable[[], tuple[str, bytes]]


class Application:
    """Answers requests with a graph. All of it runs in one event loop."""

    def __init__(
        self,
        graph: Graph,
        client: Client,
        limits: Limits,
        propagation: Propagation,
        choose: Choose = by_weight,
    ) -> None:
        self._graph = graph
        self._client = client
        self._limits = limits
        self._propagation = propagation
        self._choose = choose
        self._bodies = Bodies(limits)
        self._knocking = Knocking(client)
        self._routing: set[asyncio.Task[int]] = set()
        self._cut_off = False
        self._pages: dict[str, Page] = {
            "/": self._metadata,
            "/healthz": lambda: (JSON, b'{"live":true}'),
            "/readyz": self._ready,
            "/metrics": lambda: (_TEXT, self.watching.metrics.text()),
        }
        self.watching = Watching(graph)
        self.on_answer: Callable[[], None] | None = None
        """Called once, with the first answer."""
        self.draining = False
        """Whether every answer says that its connection closes."""

    def cut_off(self) -> None:
        """Wait for no service any more: who still waits is told to ask elsewhere."""
        self._cut_off = True
        for routing in self._routing:
            routing.cancel()

    async def close(self) -> None:
        """Give up on what no request waits for."""
        await self._knocking.close()

    def sweep(self) -> None:
        """Give up on bodies that do not arrive, and connections nobody needs."""
        self._bodies.sweep()
        self._client.sweep()

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request. Never raises: an unforeseen error is logged and answered with 500."""
        try:
            if scope.method == "POST":
                await self._post(scope, exchange)
            else:
                self._page(scope, exchange)
        except ClientGoneError:
            return
        except RequestError as error:
            self._refuse(scope, exchange, error)
        except Exception:
            _log.exception("unforeseen error on %s %s", scope.method, scope.path)
            self._refuse(scope, exchange, RequestError("Internal server error."))

    def _page(self, scope: Scope, exchange: Exchange) -> None:
        page = self._pages.get(scope.path)
        if scope.method not in ("GET", "HEAD"):
            allowed = ("GET", "HEAD", "POST") if page is not None else ("POST",)
            raise MethodNotAllowedError(scope.method, scope.path, allowed)
        if page is None:
            raise NotFoundError(
                f"There is no {scope.path} to get; requests to the graph {self._graph.name} are "
                "POSTs, to any path."
            )
        kind, body = page()
        self._respond(scope, exchange, 200, [("content-type", kind)], body)

    async def _post(self, scope: Scope, exchange: Exchange) -> None:
        metrics = self.watching.metrics
        if metrics.in_flight >= self._limits.in_flight:
            metrics.requests.add(OverloadedError.status, 0.0)
            raise OverloadedError(
                f"{metrics.in_flight} requests of the graph {self._graph.name} are in flight "
                "already; try again in a second."
            )
        metrics.in_flight += 1
        began = perf_counter()
        call = self.watching.request(scope)
        status = RequestError.status
        try:
            body = await self._bodies.read(scope, exchange)
            if call is not None:
                call.received(body)
            routing = asyncio.get_running_loop().create_task(
                self._routed(scope, exchange, body, call)
            )
            self._routing.add(routing)
            routing.add_done_callback(self._routing.discard)
            try:
                status = await while_there(exchange, routing)
            except asyncio.CancelledError:
                raise OverloadedError(_STOPS) from None
        except RequestError as error:
            status = error.status
            if call is not None:
                call.refused(status, str(error))
            if not isinstance(error, ClientGoneError):
                tell(error)
            raise
        finally:
            metrics.in_flight -= 1
            metrics.requests.add(status, perf_counter() - began)
            if call is not None:
                call.end()
        if self.on_answer is not None:
            answered, self.on_answer = self.on_answer, None
            asyncio.get_running_loop().call_soon(answered)

    async def _routed(
        self, scope: Scope, exchange: Exchange, body: bytes, call: Call | None
    ) -> int:
        """Answer a request to the graph; the status."""
        if call is not None:
            call.enter()
        kind, json_length = content_of(scope.headers, body)
        if self._propagation.takes_content_type:
            kind = scope.headers.get("content-type") or kind
        asking = self._asking(scope)
        answer = await route(
            self._graph,
            Message(body, kind, json_length),
            asking,
            self._choose,
            self.watching.step,
            partial(self._knocking.at, headers=asking.lines),
        )
        headers = [*answer.headers, *answer.further]
        if answer.parts is not None:
            events = told(self._until_cut_off(answer.parts))
            if call is not None:
                events = call.streamed(events, answer.content_type)
            closing = self._closing(scope, [*headers, ("cache-control", "no-cache")])
            await send(exchange, events, closing, answer.status)
        else:
            if call is not None:
                call.answered(answer.body, answer.content_type, status=answer.status)
            self._respond(scope, exchange, answer.status, headers, answer.body)
        return answer.status

    async def _until_cut_off(self, parts: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
        """The parts; who reads them is told where they are cut off, and takes them for no whole."""
        try:
            async with aclosing(parts):
                async for part in parts:
                    yield part
        except asyncio.CancelledError:
            if not self._cut_off:
                raise
            raise OverloadedError(_STOPS) from None

    def _asking(self, scope: Scope) -> Asking:
        tracer = self.watching.tracer
        now = asyncio.get_running_loop().time()
        timeouts = self._graph.timeouts
        patience = patience_of(scope.headers)
        ends = [each for each in (timeouts.request or None, patience) if each is not None]
        return Asking(
            self._client,
            self._propagation.chosen(scope.headers, traced=tracer is not None),
            deadline=now + min(ends) if ends else None,
            most=timeouts.call,
            patient=patience is not None,
            tracer=tracer,
        )

    def _metadata(self) -> tuple[str, bytes]:
        nodes = {
            name: {
                "routerType": node.kind,
                "steps": [_described(step) for step in node.steps],
            }
            for name, node in self._graph.nodes.items()
        }
        return JSON, orjson.dumps({"name": self._graph.name, "kind": "graph", "nodes": nodes})

    def _ready(self) -> tuple[str, bytes]:
        if self.draining:
            raise ModelNotReadyError("The router is shutting down.")
        return JSON, b'{"ready":true}'

    def _refuse(self, scope: Scope, exchange: Exchange, error: RequestError) -> None:
        body = {"error": str(error)}
        if isinstance(error, RouteError):
            body.update(error.fields)
        headers = [("content-type", JSON), *error.headers]
        self._respond(scope, exchange, error.status, headers, orjson.dumps(body))

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
        if self.draining and scope.http_version.startswith("1"):
            return [*headers, ("connection", "close")]
        return headers


def _described(step: Step) -> dict[str, object]:
    told: dict[str, object] = {"name": step.title}
    if step.node is not None:
        told["nodeName"] = step.node.name
    else:
        told["url"] = step.url
    if step.weight:
        told["weight"] = step.weight
    told["dependency"] = "Hard" if step.hard else "Soft"
    return told
