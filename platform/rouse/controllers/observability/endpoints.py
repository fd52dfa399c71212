"""Which paths a controller process serves, on which port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from rouse.controllers.observability.metrics import Metrics
from rouse.controllers.observability.profiling import profiling_routes
from rouse.controllers.observability.registry import CONTENT_TYPE
from rouse.controllers.observability.server import Answer, Handler, ProbeServer

__all__ = ["Checks", "Ports", "serve_endpoints"]


@dataclass(frozen=True, slots=True)
class Ports:
    """None: nothing is served there. ``profiling`` adds /debug/pprof to the port of the metrics."""

    metrics: int | None = None
    health: int | None = None
    profiling: bool = False


@dataclass(frozen=True, slots=True)
class Checks:
    """Each returns what is wrong, nothing when all is well."""

    alive: Callable[[], Sequence[str]]
    ready: Callable[[], Sequence[str]]


@asynccontextmanager
async def serve_endpoints(
    ports: Ports, metrics: Metrics, checks: Checks
) -> AsyncIterator[list[ProbeServer]]:
    """Serve for the length of the block; the same port may serve both."""
    routes: dict[int, dict[str, Handler]] = {}
    if ports.metrics is not None:
        mine = routes.setdefault(ports.metrics, {})
        mine["/metrics"] = _metrics(metrics)
        if ports.profiling:
            mine |= profiling_routes()
    if ports.health is not None:
        mine = routes.setdefault(ports.health, {})
        mine |= {"/healthz": _check(checks.alive), "/readyz": _check(checks.ready)}
    async with AsyncExitStack() as stack:
        servers = [ProbeServer(paths, port=port) for port, paths in routes.items()]
        yield [await stack.enter_async_context(one) for one in servers]


def _metrics(metrics: Metrics) -> Handler:
    async def answer(_query: Mapping[str, str]) -> Answer:
        return Answer(metrics.render(), content_type=CONTENT_TYPE)

    return answer


_OK: Final = Answer("ok\n")


def _check(check: Callable[[], Sequence[str]]) -> Handler:
    async def answer(_query: Mapping[str, str]) -> Answer:
        problems = check()
        if not problems:
            return _OK
        return Answer("".join(f"{one}\n" for one in problems), HTTPStatus.SERVICE_UNAVAILABLE)

    return answer
