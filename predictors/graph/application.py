"""The HTTP application of a router: a request in, the graph's answer out, whatever happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Final

import orjson

from predictors.graph.errors import RouteError
from predictors.graph.messages import JSON, Answer, Message, content_of
from predictors.graph.metrics import GraphMetrics
from predictors.graph.propagation import Propagation
from predictors.graph.routing import Choose, Finish, by_weight, route
from predictors.graph.spec import Graph, Node, Step
from predictors.graph.targets import Target
from predictors.graph.upstream import Client
from predictors.serving.bodies import Bodies, Exchange, Scope
from predictors.serving.errors import (
    MethodNotAllowedError,
    ModelNotReadyError,
    NotFoundError,
    OverloadedError,
    RequestError,
)
from predictors.serving.observation import Call, Observers
from predictors.serving.patience import TIMEOUT_HEADER, ClientGoneError, patience_of, while_there
from predictors.serving.settings import Limits
from predictors.serving.streaming import send, told

if TYPE_CHECKING:
    from predictors.serving.tracing.spans import Tracer

__all__ = ["Application"]

_log = logging.getLogger(__name__)

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
        self._routing: set[asyncio.Task[int]] = set()
        self._pages: dict[str, Page] = {
            "/": self._metadata,
            "/healthz": lambda: (JSON, b'{"live":true}'),
            "/readyz": self._ready,
            "/metrics": lambda: (_TEXT, self.metrics.text()),
        }
        self.metrics = GraphMetrics(graph)
        self.observers: Observers | None = None
        self.tracer: Tracer | None = None
        self.on_answer: Callable[[], None] | None = None
        """Called once, with the first answer."""
        self.draining = False
        """Whether every answer says that its connection closes."""

    def cut_off(self) -> None:
        """Wait for no service any more: who still waits is told to ask elsewhere."""
        for routing in self._routing:
            routing.cancel()

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
        metrics = self.metrics
        if metrics.in_flight >= self._limits.in_flight:
            metrics.requests.add(OverloadedError.status, 0.0)
            raise OverloadedError(
                f"{metrics.in_flight} requests of the graph {self._graph.name} are in flight "
                "already; try again in a second."
            )
        metrics.in_flight += 1
        began = perf_counter()
        call = self._observed(scope)
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
                raise OverloadedError("The server stops, and cannot wait any longer.") from None
        except RequestError as error:
            status = error.status
            if call is not None:
                call.refused(status, str(error))
            if not isinstance(error, ClientGoneError):
                _tell(error)
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
            self._graph, Message(body, kind, json_length), asking, self._choose, self._watch
        )
        headers = [*answer.headers, *answer.further]
        if answer.parts is not None:
            events = told(answer.parts)
            if call is not None:
                events = call.streamed(events, answer.content_type)
            closing = self._closing(scope, [*headers, ("cache-control", "no-cache")])
            await send(exchange, events, closing, answer.status)
        else:
            if call is not None:
                call.answered(answer.body, answer.content_type, status=answer.status)
            self._respond(scope, exchange, answer.status, headers, answer.body)
        return answer.status

    def _asking(self, scope: Scope) -> _Asking:
        tracer = self.tracer
        now = asyncio.get_running_loop().time()
        timeouts = self._graph.timeouts
        patience = patience_of(scope.headers)
        ends = [each for each in (timeouts.request or None, patience) if each is not None]
        return _Asking(
            self._client,
            self._propagation.chosen(scope.headers, traced=tracer is not None),
            deadline=now + min(ends) if ends else None,
            most=timeouts.call,
            patient=patience is not None,
            tracer=tracer,
        )

    def _watch(self, node: Node, step: Step) -> Finish:
        counted = self.metrics.watch(node, step)
        if self.tracer is None:
            return counted if step.target is None else self._telling(node, step, counted)
        attributes = {"graph": self._graph.name, "node": node.name, "step": step.title}
        if step.url:
            attributes["url.full"] = step.url
        traced = self.tracer.asking(
            f"{node.name} {step.title}", attributes, remote=step.target is not None
        )

        def finish(status: int, error: str) -> None:
            counted(status, error)
            traced(status, error)

        return finish if step.target is None else self._telling(node, step, finish)

    def _telling(self, node: Node, step: Step, then: Finish) -> Finish:
        """Write a line where a service could not be asked, whatever becomes of the request."""

        def finish(status: int, error: str) -> None:
            then(status, error)
            if error:
                fields = {"status": status, "node": node.name, "step": step.title, "url": step.url}
                told = "graph %s, node %s, step %s: %s"
                where = (self._graph.name, node.name, step.title)
                _log.warning(told, *where, error, extra={"fields": fields})

        return finish

    def _observed(self, scope: Scope) -> Call | None:
        if self.observers is None:
            return None
        call = Call("http", scope.path, self._graph.name, "", scope.headers)
        return self.observers.begin(call, "route")

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


class _Asking:
    """Asks services on behalf of one request.

    ``deadline`` is the request's by the loop's time, ``most`` the seconds of one call or 0; one
    that is ``patient`` has a client that says how long it waits, and so do its steps.
    """

    __slots__ = ("_client", "_deadline", "_lines", "_most", "_patient", "_tracer")

    def __init__(
        self,
        client: Client,
        lines: bytes,
        *,
        deadline: float | None,
        most: float,
        patient: bool,
        tracer: Tracer | None,
    ) -> None:
        self._client = client
        self._lines = lines
        self._deadline = deadline
        self._most = most
        self._patient = patient
        self._tracer = tracer

    async def __call__(self, target: Target, message: Message, *, streamed: bool) -> Answer:
        """The answer of a service. Raises `RequestError`."""
        lines, deadline = self._lines, self._deadline
        if self._most or deadline is not None:
            now = asyncio.get_running_loop().time()
            if self._patient and deadline is not None:
                left = max(0.0, deadline - now) * 1e3
                lines += f"{TIMEOUT_HEADER}: {left:.0f}\r\n".encode()
            if self._most:
                deadline = now + self._most if deadline is None else min(deadline, now + self._most)
        if self._tracer is not None:
            told = self._tracer.outgoing()
            lines += "".join(f"{name}: {value}\r\n" for name, value in told.items()).encode()
        return await self._client.post(target, message, lines, deadline=deadline, streamed=streamed)


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


def _tell(error: RequestError) -> None:
    """One line for a request that failed by the graph; a client's own mistake is its own affair.

    Of a service that could not be asked there is one already.
    """
    if isinstance(error.__cause__, RequestError):
        return
    if error.status >= 500 or isinstance(error, RouteError):
        fields = dict(error.fields) if isinstance(error, RouteError) else {}
        _log.warning("%s", error, extra={"fields": {"status": error.status, **fields}})
