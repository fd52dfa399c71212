"""What goes wrong on a request's way through a graph, as the client is told.

::

    StartupError
    └── GraphError           the graph is no graph; names the field
    RequestError
    ├── RouteError           a node of the graph cannot go on; names it
    │   └── StepError        one of its steps could not be asked; names node, step and URL
    ├── LoopError        508 the request has been through too many graphs
    └── UnreachableError 502 no connection, or no HTTP answer
        └── LostError    502 the connection was closed before anything of an answer came

A service that answers is no error here, whatever its status: that is passed on.
"""

from __future__ import annotations

from collections.abc import Sequence

from predictors.serving.errors import RequestError, StartupError

__all__ = ["GraphError", "LoopError", "LostError", "RouteError", "StepError", "UnreachableError"]


class GraphError(StartupError):
    """The graph cannot be served; says which field of it is wrong and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"--graph-json: {path}: {reason}")


class UnreachableError(RequestError):
    """A service could not be asked, or did not answer as one."""

    status = 502


class LostError(UnreachableError):
    """The connection was closed before anything of an answer came."""

    def __init__(self) -> None:
        super().__init__("it closed the connection without an answer")


class LoopError(RequestError):
    """Graphs ask each other round in a circle, or so it looks."""

    status = 508

    def __init__(self, hops: int) -> None:
        super().__init__(
            f"The request has been through {hops} graphs already; does one of them ask itself, "
            "directly or by others?"
        )


class RouteError(RequestError):
    """A node of the graph cannot go on. `fields` is the answer's body beside its ``error``."""

    def __init__(self, graph: str, node: str, cause: str, status: int) -> None:
        super().__init__(f"graph {graph}, node {node}: {cause}")
        self.status = status
        self.fields = {"cause": cause, "graph": graph, "node": node}


class StepError(RouteError):
    """A step could not be asked, or its answer is of no use.

    `url` is empty where the step is another node; `headers` are those of the error behind it.
    """

    def __init__(
        self,
        graph: str,
        node: str,
        step: str,
        url: str,
        cause: str,
        status: int,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(graph, node, cause, status)
        where = f"step {step} ({url})" if url else f"step {step}"
        self.args = (f"graph {graph}, node {node}, {where}: {cause}",)
        self.fields["step"] = step
        if url:
            self.fields["url"] = url
        self._headers = headers

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """When a retry makes sense, where that is known."""
        return self._headers
