"""What a router counts: requests of the graph, and of every step of every node."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from predictors.graph.routing import Finish
from predictors.graph.spec import Graph, Node, Step
from predictors.serving.metrics.histogram import Histogram, head, labelled
from predictors.serving.metrics.process import process_lines

__all__ = ["GraphMetrics", "Outcomes"]


class Outcomes:
    """Requests by their status, and how long they took in seconds."""

    __slots__ = ("codes", "labels", "seconds")

    def __init__(self, **labels: str) -> None:
        self.labels = labelled(labels)
        self.codes: dict[int, int] = {}
        self.seconds = Histogram()

    def add(self, status: int, seconds: float) -> None:
        """Count one."""
        self.codes[status] = self.codes.get(status, 0) + 1
        self.seconds.observe(seconds)


class GraphMetrics:
    """All a router counts; `in_flight` is read when the text is asked for."""

    def __init__(self, graph: Graph) -> None:
        self.in_flight = 0
        self.start_seconds = 0.0
        self.requests = Outcomes(graph=graph.name)
        # Steps of one name are counted together: two series with the same labels end a scrape.
        self._titled = {
            (node.name, step.title): Outcomes(graph=graph.name, node=node.name, step=step.title)
            for node in graph.nodes.values()
            for step in node.steps
        }
        # By identity: steps are the same objects as long as the graph is there.
        self._steps = {
            id(step): self._titled[node.name, step.title]
            for node in graph.nodes.values()
            for step in node.steps
        }

    def watch(self, node: Node, step: Step) -> Finish:
        """Count a step; a streamed answer is over when it begins."""
        outcomes = self._steps[id(step)]
        began = perf_counter()
        return lambda status, _: outcomes.add(status, perf_counter() - began)

    def text(self) -> bytes:
        """The exposition, version 0.0.4."""
        lines = [
            *_outcomes("graph", "a request of the graph", "ended", [self.requests]),
            *_outcomes("graph_step", "a step", "began", [*self._titled.values()]),
            *head("requests_in_flight", "gauge", "Requests accepted and not yet answered."),
            f"requests_in_flight {self.in_flight}",
            *head("start_seconds", "gauge", "Seconds from the start of the process to ready."),
            f"start_seconds {self.start_seconds!r}",
            *process_lines(),
        ]
        return ("\n".join(lines) + "\n").encode()


def _outcomes(name: str, what: str, until: str, counted: list[Outcomes]) -> Iterator[str]:
    total, seconds = f"{name}_requests_total", f"{name}_request_seconds"
    yield from head(total, "counter", f"Times {what} was over, by the status of its answer.")
    for each in counted:
        for code, count in sorted(each.codes.items()):
            yield f'{total}{{{each.labels},code="{code}"}} {count}'
    told = f"Seconds {what} took; with a streamed answer until that {until}."
    yield from head(seconds, "histogram", told)
    for each in counted:
        yield from each.seconds.lines(seconds, each.labels)
