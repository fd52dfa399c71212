"""What a graph does with a request, node by node; services are functions here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from predictors.graph.errors import RouteError, StepError, UnreachableError
from predictors.graph.messages import Answer, Message
from predictors.graph.routing import route
from predictors.graph.spec import Graph, Node, Step, parse_graph
from predictors.graph.targets import Target
from predictors.serving.errors import DeadlineError, OverloadedError, RequestError

Reply = Answer | RequestError | Callable[[Message], Awaitable[Answer]]


def ok(body: object) -> Answer:
    return Answer(orjson.dumps(body))


def failed(status: int, body: object = "no") -> Answer:
    return Answer(orjson.dumps({"error": body}), status=status)


class Services:
    """Services by the host of their URL, and what they were asked."""

    def __init__(self, **replies: Reply) -> None:
        self.replies = replies
        self.asked: list[tuple[str, Message, bool]] = []

    async def __call__(self, target: Target, message: Message, *, streamed: bool) -> Answer:
        name = target.origin.host
        self.asked.append((name, message, streamed))
        reply = self.replies[name]
        if isinstance(reply, RequestError):
            raise reply
        return reply if isinstance(reply, Answer) else await reply(message)

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.asked]

    @property
    def bodies(self) -> list[Any]:
        return [orjson.loads(message.body) for _, message, _ in self.asked]


def step(service: str, **further: Any) -> dict[str, Any]:
    return {"serviceUrl": f"http://{service}/v1", **further}


def graph(kind: str, *steps: dict[str, Any], **nodes: dict[str, Any]) -> Graph:
    root = {"routerType": kind, "steps": list(steps)}
    return parse_graph(orjson.dumps({"nodes": {"root": root, **nodes}}), "animals")


def node(kind: str, *steps: dict[str, Any]) -> dict[str, Any]:
    return {"routerType": kind, "steps": list(steps)}


async def ask(made: Graph, services: Services, body: object, point: int = 0) -> Answer:
    return await route(made, Message(orjson.dumps(body)), services, lambda weights: point)


REQUEST = {"instances": [{"kind": "dog"}]}
NEXT = {"data": "$response"}
CAT, DOG = ok({"predictions": ["cat"]}), ok({"predictions": ["dog"]})


@pytest.mark.parametrize(
    ("second", "sent"),
    [
        ({}, REQUEST),
        ({"data": "$request"}, REQUEST),
        (NEXT, {"predictions": ["cat"]}),
        ({**NEXT, "mapPredictionsToInstances": True}, {"instances": ["cat"]}),
        ({"mapPredictionsToInstances": True}, REQUEST),
    ],
)
async def test_a_sequence_asks_one_after_the_other(second: dict[str, Any], sent: object) -> None:
    services = Services(a=CAT, b=DOG)
    answer = await ask(graph("Sequence", step("a"), step("b", **second)), services, REQUEST)
    assert answer == DOG
    assert services.bodies == [REQUEST, sent]


async def test_the_first_step_has_no_answer_before_it_and_gets_the_request() -> None:
    services = Services(a=CAT)
    await ask(graph("Sequence", step("a", **NEXT)), services, REQUEST)
    assert services.bodies == [REQUEST]


@pytest.mark.parametrize(
    ("answered", "mapped"),
    [
        (b'{"predictions":[1],"id":"7"}', b'{"instances":[1]}'),
        (b'{"predictions":[1],"instances":null}', b'{"instances":[1]}'),
        (b'{"predictions":[1],"instances":{}}', b'{"predictions":[1],"instances":{}}'),
        (b'{"predictions":[]}', b'{"predictions":[]}'),
        (b'{"predictions":{}}', b'{"predictions":{}}'),
        (b'{"outputs":[1]}', b'{"outputs":[1]}'),
        (b"[1]", b"[1]"),
        (b"no JSON", b"no JSON"),
    ],
)
async def test_predictions_become_instances_where_there_are_any(
    answered: bytes, mapped: bytes
) -> None:
    services = Services(a=Answer(answered), b=DOG)
    second = step("b", **NEXT, mapPredictionsToInstances=True)
    await ask(graph("Sequence", step("a"), second), services, REQUEST)
    assert services.asked[1][1].body == mapped


async def test_a_sequence_ends_where_a_condition_finds_nothing() -> None:
    second = step("b", condition='predictions.#(=="dog")')
    services = Services(a=CAT, b=DOG)
    assert await ask(graph("Sequence", step("a"), second), services, REQUEST) == CAT
    services = Services(a=DOG, b=CAT)
    assert await ask(graph("Sequence", step("a"), second), services, REQUEST) == CAT


async def test_the_answer_is_200_where_a_condition_ends_a_sequence_as_in_kserve() -> None:
    services = Services(a=failed(400))
    answer = await ask(
        graph("Sequence", step("a"), step("b", condition="predictions")), services, REQUEST
    )
    assert (answer.status, answer.body) == (200, failed(400).body)


@pytest.mark.parametrize("index", [0, 1])
async def test_a_condition_needs_an_answer_that_is_json(index: int) -> None:
    steps = [step("a"), step("b")]
    steps[index]["condition"] = "predictions"
    with pytest.raises(StepError) as raised:
        await ask(graph("Sequence", *steps), Services(a=Answer(b"<html>", "text/html")), REQUEST)
    assert raised.value.status == 500
    assert f"node root, step {index}" in str(raised.value)


@pytest.mark.parametrize(("dependency", "names"), [("Soft", ["a", "b"]), ("Hard", ["a"])])
async def test_a_hard_step_that_fails_ends_its_sequence(dependency: str, names: list[str]) -> None:
    services = Services(a=failed(418), b=DOG)
    answer = await ask(graph("Sequence", step("a", dependency=dependency), step("b")), services, {})
    assert services.names == names
    assert answer == (DOG if dependency == "Soft" else failed(418))


async def test_the_last_status_is_passed_on_whatever_it_is() -> None:
    answer = await ask(graph("Sequence", step("a"), step("b")), Services(a=DOG, b=failed(429)), {})
    assert answer.status == 429


@pytest.mark.parametrize(("point", "name"), [(0, "a"), (1, "b")])
async def test_a_splitter_asks_the_step_that_was_chosen(point: int, name: str) -> None:
    told: list[list[int]] = []

    def choose(weights: Any) -> int:
        told.append(list(weights))
        return point

    services = Services(a=CAT, b=DOG)
    made = graph("Splitter", step("a", weight=80), step("b", weight=20))
    await route(made, Message(b"{}"), services, choose)
    assert (services.names, told) == ([name], [[80, 20]])


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"instances": [{"kind": "cat"}]}, "a"),
        (REQUEST, "b"),
        ({"instances": [{"kind": "cat"}, {"kind": "dog"}]}, "a"),
    ],
)
async def test_a_switch_takes_the_first_condition_that_holds(body: object, name: str) -> None:
    steps = [
        step(s, condition=f'instances.#(kind=="{k}")') for s, k in (("a", "cat"), ("b", "dog"))
    ]
    services = Services(a=CAT, b=DOG)
    await ask(graph("Switch", *steps), services, body)
    assert services.names == [name]
    assert services.bodies == [body]


@pytest.mark.parametrize(
    ("body", "why"), [(b"{}", "none of the conditions matched"), (b"{", "the request is no JSON")]
)
async def test_a_switch_without_a_match_says_so(body: bytes, why: str) -> None:
    made = graph("Switch", step("a", condition="instances"))
    with pytest.raises(RouteError) as raised:
        await route(made, Message(body), Services())
    assert raised.value.status == 404
    assert str(raised.value) == f"graph animals, node root: {why}; no step was chosen"


@pytest.mark.parametrize("condition", ["instances.#(x==1)", "instances.1.@this"])
async def test_conditions_on_large_bodies_keep_nobody_waiting(condition: str) -> None:
    services = Services(one=ok(1), two=ok(2))
    made = graph("Switch", step("one", condition="no"), step("two", condition=condition))
    body = orjson.dumps({"instances": [{"x": 0}] * 50_000 + [{"x": 1}]})
    routing = asyncio.ensure_future(route(made, Message(body), services))
    turns = 0
    while not routing.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 1
    assert (await routing).body == b"2"


async def test_a_condition_looks_into_the_json_before_binary_tensors() -> None:
    made = graph("Switch", step("a", condition="inputs"))
    message = Message(b'{"inputs":[]}\x00\xff', "application/octet-stream", "13")
    services = Services(a=CAT)
    await route(made, message, services)
    assert services.asked[0][1] == message


async def test_an_ensemble_asks_all_at_once_and_keeps_every_digit() -> None:
    together = asyncio.Barrier(2)

    def answering(body: bytes) -> Callable[[Message], Awaitable[Answer]]:
        async def answer(message: Message) -> Answer:
            async with asyncio.timeout(10):
                await together.wait()
            return Answer(body)

        return answer

    number = b'{"p":[0.10000000000000000555,123456789012345678901234567890]}'
    services = Services(a=answering(number), b=answering(b"[2]"))
    answer = await ask(graph("Ensemble", step("a", name="one"), step("b")), services, REQUEST)
    assert answer.body == b'{"one":' + number + b',"1":[2]}'
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert services.bodies == [REQUEST, REQUEST]


UNREACHABLE = UnreachableError("connection refused")


@pytest.mark.parametrize(
    ("reply", "under"),
    [
        (failed(500, "broken"), {"error": "broken"}),
        (
            Answer(b"no healthy upstream", "text/plain", status=503),
            {
                "error": "graph animals, node root, step a (http://a/v1): it answered 503, no "
                "JSON: no healthy upstream",
                "cause": "it answered 503, no JSON: no healthy upstream",
                "graph": "animals",
                "node": "root",
                "step": "a",
                "url": "http://a/v1",
            },
        ),
        (
            UNREACHABLE,
            {
                "error": "graph animals, node root, step a (http://a/v1): connection refused",
                "cause": "connection refused",
                "graph": "animals",
                "node": "root",
                "step": "a",
                "url": "http://a/v1",
            },
        ),
    ],
)
async def test_what_fails_softly_in_an_ensemble_stands_under_its_key(
    reply: Reply, under: object
) -> None:
    made = graph("Ensemble", step("a", name="a"), step("b", name="b"))
    answer = await ask(made, Services(a=reply, b=ok({"p": 1})), {})
    assert answer.status == 200
    assert orjson.loads(answer.body) == {"a": under, "b": {"p": 1}}


async def test_what_fails_hard_in_an_ensemble_is_its_answer_and_nobody_waits() -> None:
    cancelled = asyncio.Event()

    async def forever(message: Message) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    made = graph("Ensemble", step("a"), step("b", dependency="Hard"))
    answer = await ask(made, Services(a=forever, b=failed(422)), {})
    assert answer == failed(422)
    async with asyncio.timeout(10):
        await cancelled.wait()


async def test_a_hard_step_that_cannot_be_asked_fails_its_ensemble() -> None:
    made = graph("Ensemble", step("a"), step("b", dependency="Hard"))
    with pytest.raises(StepError, match=r"step 1 .*connection refused") as raised:
        await ask(made, Services(a=CAT, b=UNREACHABLE), {})
    assert raised.value.status == 502


async def test_binary_tensors_cannot_be_merged() -> None:
    binary = Answer(b"{}\x00", "application/octet-stream", "2")
    answer = await ask(graph("Ensemble", step("a")), Services(a=binary), {})
    said = orjson.loads(answer.body)["0"]["cause"]
    assert said == "it answered 200, no JSON: 3 bytes of application/octet-stream"


@pytest.mark.parametrize(
    ("error", "status"),
    [(UNREACHABLE, 502), (DeadlineError("late"), 504), (OverloadedError("full"), 503)],
)
async def test_a_step_that_cannot_be_asked_ends_the_request_and_is_named(
    error: RequestError, status: int
) -> None:
    made = graph("Sequence", step("a"), step("b", name="second", **NEXT), step("c"))
    services = Services(a=CAT, b=error)
    with pytest.raises(StepError) as raised:
        await ask(made, services, {})
    told = raised.value
    assert services.names == ["a", "b"]
    assert told.status == status
    assert str(told) == f"graph animals, node root, step second (http://b/v1): {error}"
    assert told.headers == error.headers


async def test_nodes_are_asked_like_services() -> None:
    made = graph(
        "Sequence",
        {"nodeName": "which"},
        {"nodeName": "breeds", "condition": 'predictions.#(=="dog")'},
        which=node("Switch", step("a", condition="cat"), step("b", condition="dog")),
        breeds=node("Ensemble", step("c", name="big"), step("d", name="small")),
    )
    services = Services(b=DOG, c=ok({"p": 1}), d=ok({"p": 2}))
    answer = await ask(made, services, {"dog": 1})
    assert orjson.loads(answer.body) == {"big": {"p": 1}, "small": {"p": 2}}
    assert services.names == ["b", "c", "d"]
    with pytest.raises(RouteError, match="node which: none") as raised:
        await ask(made, services, {})
    assert raised.value.status == 404


async def test_only_what_is_answered_as_it_comes_may_be_streamed() -> None:
    made = graph(
        "Sequence",
        {"nodeName": "all"},
        step("a"),
        {"nodeName": "last"},
        all=node("Ensemble", step("b")),
        last=node("Splitter", step("c", weight=100)),
    )
    services = Services(a=DOG, b=DOG, c=DOG)
    await ask(made, services, {})
    assert [(name, streamed) for name, _, streamed in services.asked] == [
        ("b", False),
        ("a", False),
        ("c", True),
    ]


async def test_every_step_is_watched() -> None:
    seen: list[tuple[str, str, int]] = []

    def watch(node: Node, step: Step) -> Callable[[int, str], None]:
        return lambda status, error: seen.append((node.name, step.title, status))

    made = graph(
        "Sequence", {"nodeName": "in"}, step("b"), **{"in": node("Sequence", step("a", name="x"))}
    )
    services = Services(a=failed(400), b=UNREACHABLE)
    with pytest.raises(StepError):
        await route(made, Message(b"{}"), services, watch=watch)
    assert seen == [("in", "x", 400), ("root", "in", 400), ("root", "1", 502)]


async def test_cancelled_it_cancels_its_calls() -> None:
    asked, seen = asyncio.Barrier(3), []

    async def forever(message: Message) -> Answer:
        await asked.wait()
        await asyncio.Event().wait()
        raise AssertionError

    def watch(node: Node, step: Step) -> Callable[[int, str], None]:
        return lambda status, error: seen.append(status)

    made = graph("Ensemble", step("a"), step("b"))
    services = Services(a=forever, b=forever)
    routing = asyncio.create_task(route(made, Message(b"{}"), services, watch=watch))
    async with asyncio.timeout(10):
        await asked.wait()
        routing.cancel()
        await asyncio.wait([routing])
        while len(seen) < 2:
            await asyncio.sleep(0)
    assert routing.cancelled()
    assert seen == [499, 499]
