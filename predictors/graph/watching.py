"""Who watches a request on its way: metrics always, traces and the log where there is cause."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from predictors.graph.errors import RouteError
from predictors.graph.metrics import GraphMetrics
from predictors.graph.routing import Finish
from predictors.graph.spec import Graph, Node, Step
from predictors.serving.bodies import Scope
from predictors.serving.errors import RequestError
from predictors.serving.observation import Call, Observers

if TYPE_CHECKING:
    from predictors.serving.tracing.spans import Tracer

__all__ = ["Watching", "tell"]

_log = logging.getLogger(__name__)


class Watching:
    """The watchers of a graph's requests. Observers and a tracer may come later."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.metrics = GraphMetrics(graph)
        self.observers: Observers | None = None
        self.tracer: Tracer | None = None

    def trace(self, tracer: Tracer) -> None:
        """Trace requests and their steps from now on."""
        if self.observers is None:
            self.observers = Observers()
        self.observers.add(tracer)
        self.tracer = tracer

    def request(self, scope: Scope) -> Call | None:
        """Tell the observers that a request came; None where nobody wants to know."""
        if self.observers is None:
            return None
        call = Call("http", scope.path, self._graph.name, "", scope.headers)
        return self.observers.begin(call, "route")

    def step(self, node: Node, step: Step) -> Finish:
        """Count a step, make its span, and write a line where its service could not be asked."""
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


def tell(error: RequestError) -> None:
    """One line for a request that failed by the graph; a client's own mistake is its own affair.

    Of a service that could not be asked there is one already.
    """
    if isinstance(error.__cause__, RequestError):
        return
    if error.status >= 500 or isinstance(error, RouteError):
        fields = dict(error.fields) if isinstance(error, RouteError) else {}
        _log.warning("%s", error, extra={"fields": {"status": error.status, **fields}})
