"""Watching inference calls: what loggers and tracers see of a request, over every protocol.

Nothing here runs, and nothing is made for a request, unless somebody watches: protocols ask
`DataPlane.observers` first, which is None then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextvars import Context, ContextVar, copy_context
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, ParamSpec, Protocol, TypeVar
from uuid import uuid4

from predictors.serving.errors import RequestError

if TYPE_CHECKING:
    from predictors.serving.inference import InferenceResponse
    from predictors.serving.protocols import Headers
    from predictors.serving.routes import HttpAnswer, HttpRequest, Route

__all__ = ["CLIENT_GONE", "Call", "Observer", "Observers", "current"]

_log = logging.getLogger(__name__)

CLIENT_GONE: Final = 499
_KEPT_BYTES: Final = 16 * 1024 * 1024
_P = ParamSpec("_P")
_T = TypeVar("_T")

Finish = Callable[[], None]


class Observer(Protocol):
    """Somebody who watches calls, in the event loop: it must block nothing."""

    def begin(self, call: Call) -> Finish | None:
        """A call began. What is returned is called when it is over; None: not interested."""

    def close(self, seconds: float) -> None:
        """Bring what was seen to its place within `seconds`. Called off the event loop."""


class Call:
    """One request to a model and what became of it.

    `headers` have lower-case names, and only a ``get``. `body` and `answer` are what was on the
    wire; an answer in parts is the parts, one a line, up to 16 MiB. `status` is that of HTTP. Times
    are nanoseconds of the clock; `read_ns` is when the body was there. `outgoing` are headers for
    what this call asks of others, `entering` what is set in the context in which the model runs.
    """

    def __init__(
        self, protocol: str, path: str, model: str, version: str, headers: Headers
    ) -> None:
        self.protocol = protocol
        self.path = path
        self.model = model
        self.version = version
        self.headers = headers
        self.verb = "infer"
        self.started_ns = self.read_ns = time.time_ns()
        self.ended_ns = 0
        self.body = b""
        self.content_type = headers.get("content-type") or "application/json"
        self.answer = b""
        self.answer_type = ""
        self.response: InferenceResponse | None = None
        self.status = 500
        self.error = ""
        self.trace_id = ""
        self.outgoing: Mapping[str, str] = {}
        self.entering: list[Callable[[], object]] = []
        self.finishing: list[Finish] = []

    @cached_property
    def request_id(self) -> str:
        """What the client calls its request (Ce-Id, X-Request-Id), or a new name for it."""
        return self.headers.get("ce-id") or self.headers.get("x-request-id") or str(uuid4())

    def received(self, body: bytes) -> None:
        """The whole request is there."""
        self.body = body
        self.read_ns = time.time_ns()

    def answered(
        self,
        answer: bytes,
        content_type: str,
        response: InferenceResponse | None = None,
        status: int = 200,
    ) -> None:
        """There is an answer, about to be sent."""
        self.status = status
        self.answer = answer
        self.answer_type = content_type
        self.response = response

    def refused(self, status: int, error: str) -> None:
        """The answer is an error."""
        self.status = status
        self.error = error

    def end(self) -> None:
        """The call is over; tell everybody."""
        self.ended_ns = time.time_ns()
        for finish in self.finishing:
            try:
                finish()
            except Exception:
                _log.exception("an observer failed on %s", self.path)

    def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do `work` with this call as the `current` one."""
        return self._context().run(work, *args, **kwargs)

    async def within(self, answering: Awaitable[_T]) -> _T:
        """Await with this call as the current one; must be a task's own coroutine."""
        self.enter()
        return await answering

    async def streamed(
        self, parts: AsyncIterator[bytes], content_type: str
    ) -> AsyncIterator[bytes]:
        """The parts of an answer, kept, and made with this call as the current one."""
        # A task a part: the server runs all its requests in one context.
        context = self._context()
        loop = asyncio.get_running_loop()
        kept: list[bytes] = []
        size = 0
        iterator = aiter(parts)
        self.status = CLIENT_GONE  # until the last part was asked for
        while True:
            try:
                part = await loop.create_task(_next(iterator), context=context)
            except RequestError as error:
                self.refused(error.status, str(error))
                raise
            if part is None:
                break
            size += len(part)
            if size <= _KEPT_BYTES:
                kept.append(part)
            yield part
        self.answered(b"\n".join(kept), content_type)

    async def routed(self, route: Route, request: HttpRequest) -> HttpAnswer:
        """The answer of an endpoint of a model's own, kept."""
        self.received(request.body)
        loop = asyncio.get_running_loop()
        answer = await loop.create_task(_awaited(route.handle(request)), context=self._context())
        if answer.stream is None:
            self.answered(answer.body, answer.content_type, status=answer.status)
            return answer
        return replace(answer, stream=self.streamed(answer.stream, answer.content_type))

    def _context(self) -> Context:
        context = copy_context()
        context.run(self.enter)
        return context

    def enter(self) -> None:
        """Make this call the current one, in the context of this task."""
        _current.set(self)
        for enter in self.entering:
            enter()


_current: Final[ContextVar[Call | None]] = ContextVar("call", default=None)


def current() -> Call | None:
    """The call that is being answered here; None where nobody watches."""
    return _current.get()


class Observers:
    """All who watch the calls of a data plane."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = list(observers)

    def add(self, observer: Observer) -> None:
        """One more, from the next call on."""
        self._observers.append(observer)

    def begin(self, call: Call, verb: str = "infer") -> Call | None:
        """Tell all that a call began; whoever began it must `end` it. None: nobody wants it."""
        call.verb = verb
        for observer in self._observers:
            try:
                finish = observer.begin(call)
            except Exception:
                _log.exception("an observer failed on %s", call.path)
                continue
            if finish is not None:
                call.finishing.append(finish)
        return call if call.finishing else None

    def close(self, seconds: float) -> None:
        """Close all within `seconds` together."""
        until = time.monotonic() + seconds
        for observer in self._observers:
            observer.close(max(0.0, until - time.monotonic()))


async def _awaited(answering: Awaitable[_T]) -> _T:
    return await answering


async def _next(iterator: AsyncIterator[bytes]) -> bytes | None:
    # A task cannot raise StopAsyncIteration through its future.
    return await anext(iterator, None)
