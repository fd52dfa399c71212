"""What a graph does with a request. No I/O: who asks services, and who chooses, are arguments.

Answers of services are passed on whatever their status, as KServe's router does: a step that is
Soft, as every step is by default, does not stop the others when its service fails; one that is Hard
does, and its answer is the node's. A service that cannot be asked at all has no answer: that ends
the request with 502 or 504, but for a Soft step of an Ensemble, whose error stands under its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import choices
from typing import Final, NoReturn, Protocol

import orjson

from predictors.graph.errors import RouteError, StepError
from predictors.graph.gjson import Document
from predictors.graph.gjson.validity import is_valid
from predictors.graph.messages import Answer, Message, with_instances
from predictors.graph.spec import Graph, Node, Step
from predictors.graph.targets import Target
from predictors.serving.errors import RequestError

__all__ = ["Ahead", "Call", "Choose", "Finish", "Watch", "by_weight", "route", "unwatched"]

_CANCELLED: Final = 499
_EXCERPT: Final = 200
_LARGE: Final = 256 * 1024
"""Bytes of a document from which conditions look into it in a thread: 5 MB take half a second."""

Choose = Callable[[Sequence[int]], int]
"""Picks an index by its weight."""

Finish = Callable[[int, str], None]
"""Told the status of a step and, where it failed without an answer, the error."""

Watch = Callable[[Node, Step], Finish]
"""Told of every step before it is asked."""

Ahead = Callable[[Sequence[Target]], None]
"""Told of the InferenceServices that will be asked once a first one has answered."""


class Call(Protocol):
    """Asks a service."""

    async def __call__(self, target: Target, message: Message, *, streamed: bool) -> Answer:
        """The answer, in parts only where it is ``streamed``. Raises `RequestError`."""


def by_weight(weights: Sequence[int]) -> int:
    """An index at random, by its weight."""
    return choices(range(len(weights)), weights)[0]


def unwatched(node: Node, step: Step) -> Finish:
    """The watch of those who do not."""
    return _ignore


async def route(
    graph: Graph,
    request: Message,
    call: Call,
    choose: Choose = by_weight,
    watch: Watch = unwatched,
    ahead: Ahead | None = None,
) -> Answer:
    """The answer of the graph to a request. Raises `RouteError`.

    Cancelled, it cancels the calls that are under way.
    """
    return await _Route(graph, call, choose, watch, ahead).node(graph.root, request, last=True)


class _Route:
    """One request on its way."""

    __slots__ = ("_ahead", "_call", "_choose", "_graph", "_watch")

    def __init__(
        self, graph: Graph, call: Call, choose: Choose, watch: Watch, ahead: Ahead | None
    ) -> None:
        self._graph = graph
        self._call = call
        self._choose = choose
        self._watch = watch
        self._ahead = ahead

    async def node(self, node: Node, request: Message, *, last: bool) -> Answer:
        """The answer of a node, which is the graph's where it is the ``last`` one."""
        if node.kind == "Sequence":
            return await self._sequence(node, request, last=last)
        if node.kind == "Ensemble":
            return await self._ensemble(node, request)
        if node.kind == "Switch":
            step = await self._matching(node, request)
        else:
            step = node.steps[self._choose([each.weight for each in node.steps])]
        return await self._step(node, step, request, last=last)

    async def _sequence(self, node: Node, request: Message, *, last: bool) -> Answer:
        answer: Answer | None = None
        final = node.steps[-1]
        if self._ahead is not None and node.later:
            self._ahead(node.later)
        for step in node.steps:
            if step.condition is not None:
                if answer is None:
                    self._fail(node, step, "it is the first, so its condition has no answer", 500)
                holding, is_json = await _holding([step], answer)
                if not is_json:
                    self._fail(node, step, f"the answer before is no JSON: {_start(answer)}", 500)
                if holding is None:
                    return replace(answer, status=200)
            sent = answer if step.takes_answer and answer is not None else request
            if step.maps:
                sent = with_instances(sent)
            answer = await self._step(node, step, sent, last=last and step is final)
            if step.hard and not answer.ok:
                return answer
        assert answer is not None  # noqa: S101 - every node has steps
        return answer

    async def _matching(self, node: Node, request: Message) -> Step:
        step, is_json = await _holding(node.steps, request)
        if step is not None:
            return step
        why = "none of the conditions matched" if is_json else "the request is no JSON"
        raise RouteError(self._graph.name, node.name, f"{why}; no step was chosen", 404)

    async def _ensemble(self, node: Node, request: Message) -> Answer:
        members = [asyncio.ensure_future(self._member(node, step, request)) for step in node.steps]
        try:
            await asyncio.wait(members, return_when=asyncio.FIRST_EXCEPTION)
            failed = [each for each in members if each.done() and each.exception()]
            if failed:
                # Of the whole answer nothing is left, so nobody waits for the others.
                failed[0].result()
            merged = {
                step.key: each.result() for step, each in zip(node.steps, members, strict=True)
            }
        except _HardFailure as failure:
            return failure.answer
        finally:
            for each in members:
                each.cancel()
        # Bodies are not written anew: a number keeps its digits.
        return Answer(
            b"{" + b",".join(orjson.dumps(k) + b":" + v for k, v in merged.items()) + b"}"
        )

    async def _member(self, node: Node, step: Step, request: Message) -> bytes:
        """What stands under the key of a step. Raises `_HardFailure`, `RouteError`."""
        try:
            answer = await self._step(node, step, request, last=False)
            if step.hard and not answer.ok:
                raise _HardFailure(answer)
            if answer.json_length or not is_valid(answer.body):
                self._fail(node, step, f"it answered {answer.status}, no JSON: {_start(answer)}")
        except RouteError as error:
            if step.hard:
                raise
            return orjson.dumps({"error": str(error), **error.fields})
        return answer.body

    async def _step(self, node: Node, step: Step, sent: Message, *, last: bool) -> Answer:
        finish = self._watch(node, step)
        try:
            if step.node is not None:
                answer = await self.node(step.node, sent, last=last)
            else:
                assert step.target is not None  # noqa: S101 - a step has one or the other
                answer = await self._call(step.target, sent, streamed=last)
        except RouteError as error:
            finish(error.status, str(error))
            raise
        except RequestError as error:
            finish(error.status, str(error))
            raise StepError(
                self._graph.name,
                node.name,
                step.title,
                step.url,
                str(error),
                error.status,
                error.headers,
            ) from error
        except BaseException:
            finish(_CANCELLED, "")
            raise
        finish(answer.status, "")
        return answer

    def _fail(self, node: Node, step: Step, cause: str, status: int = 502) -> NoReturn:
        raise StepError(self._graph.name, node.name, step.title, step.url, cause, status)


class _HardFailure(Exception):  # noqa: N818 - the way out of an Ensemble, no error of its own
    """A step on which everything depends failed."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


async def _holding(steps: Iterable[Step], message: Message) -> tuple[Step | None, bool]:
    """The first step whose condition holds in a message, and whether that is JSON."""
    document = message.document
    if len(document) < _LARGE:
        return _first_holding(steps, document)
    return await asyncio.to_thread(_first_holding, steps, document)


def _first_holding(steps: Iterable[Step], text: bytes) -> tuple[Step | None, bool]:
    document = Document(text)
    for step in steps:
        if step.condition is not None and step.condition.exists_in(document):
            return step, True
    return None, document.is_valid


def _start(answer: Answer) -> str:
    """The beginning of an answer, for a message."""
    if answer.json_length or answer.content_type.startswith("application/octet"):
        return f"{len(answer.body)} bytes of {answer.content_type}"
    return answer.body[:_EXCERPT].decode("utf-8", "replace").strip() or "nothing"


def _ignore(status: int, error: str) -> None:
    pass
