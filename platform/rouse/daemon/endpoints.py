"""Which paths a process serves, on which port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from rouse.daemon.profiling import profiling_routes
from rouse.daemon.registry import CONTENT_TYPE, OPENMETRICS
from rouse.daemon.server import Answer, Handler, ProbeServer

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
    ports: Ports,
    render: Callable[[], str],
    checks: Checks,
    *,
    openmetrics: Callable[[], str] | None = None,
) -> AsyncIterator[list[ProbeServer]]:
    """Serve for the length of the block; ``render`` gives the metrics as text.

    ``openmetrics`` gives them in that format, to who accepts it. The same port may serve both.
    """
    routes: dict[int, dict[str, Handler]] = {}
    if ports.metrics is not None:
        mine = routes.setdefault(ports.metrics, {})
        mine["/metrics"] = _metrics(render, CONTENT_TYPE)
        if ports.profiling:
            mine |= profiling_routes()
    if ports.health is not None:
        mine = routes.setdefault(ports.health, {})
        mine |= {"/healthz": _check(checks.alive), "/readyz": _check(checks.ready)}
    other = {"/metrics": _metrics(openmetrics, OPENMETRICS)} if openmetrics else {}
    async with AsyncExitStack() as stack:
        servers = [
            ProbeServer(paths, openmetrics=other if "/metrics" in paths else None, port=port)
            for port, paths in routes.items()
        ]
        yield [await stack.enter_async_context(one) for one in servers]


def _metrics(render: Callable[[], str], content_type: str) -> Handler:
    async def answer(_query: Mapping[str, str]) -> Answer:
        return Answer(render(), content_type=content_type)

    return answer


_OK: Final = Answer("ok\n")


def _check(check: Callable[[], Sequence[str]]) -> Handler:
    async def answer(_query: Mapping[str, str]) -> Answer:
        problems = check()
        if not problems:
            return _OK
        return Answer("".join(f"{one}\n" for one in problems), HTTPStatus.SERVICE_UNAVAILABLE)

    return answer
