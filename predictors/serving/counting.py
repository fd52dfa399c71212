"""Requests to endpoints of models' own, counted as those of V1 and V2 are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter

from predictors.serving.endpoint import Endpoint
from predictors.serving.errors import DeadlineError, RequestError
from predictors.serving.inference import InferenceResponse
from predictors.serving.observation import CLIENT_GONE
from predictors.serving.routes import HttpAnswer, HttpRequest, Route

__all__ = ["counted", "counted_route"]


@contextmanager
def counted(endpoint: Endpoint) -> Iterator[None]:
    """Count a request in and out, how long it took, and what became of it."""
    started = perf_counter()
    with _entered(endpoint):
        try:
            yield
        except TimeoutError:
            raise DeadlineError(
                f"Model {endpoint.model.name} did not answer within the request's time."
            ) from None
        endpoint.metrics.succeeded(InferenceResponse((), predict=perf_counter() - started))


@contextmanager
def _entered(endpoint: Endpoint) -> Iterator[None]:
    """Count a request in and out, and its failure."""
    endpoint.enter()
    try:
        yield
    except RequestError as error:
        endpoint.metrics.failed(error.status)
        raise
    except (asyncio.CancelledError, GeneratorExit):
        endpoint.metrics.failed(CLIENT_GONE)
        raise
    except Exception:
        endpoint.metrics.failed(RequestError.status)
        raise
    finally:
        endpoint.leave()


def counted_route(route: Route, endpoint: Callable[[], Endpoint]) -> Route:
    """A model's route whose requests are counted for what `endpoint` gives then."""

    async def handle(request: HttpRequest) -> HttpAnswer:
        asked = endpoint()
        started = perf_counter()
        with _entered(asked):
            answer = await route.handle(request)
        if answer.stream is not None:
            return replace(answer, stream=_counted_parts(asked, answer.stream))
        if answer.status >= 400:
            asked.metrics.failed(answer.status)
        else:
            asked.metrics.succeeded(InferenceResponse((), predict=perf_counter() - started))
        return answer

    return route._replace(handle=handle)


async def _counted_parts(endpoint: Endpoint, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        with counted(endpoint):
            async for part in parts:
                yield part
    finally:
        close = getattr(parts, "aclose", None)
        if close is not None:
            await close()
