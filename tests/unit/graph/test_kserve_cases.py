"""Graphs, requests and answers as recorded from KServe's own router (its commit aaac4e2),
made at random. A service answers with the body and status of its URL, or with what it
was sent. Left out is what differs on purpose: what KServe answers with an error of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from predictors.graph.messages import Answer, Message, content_of
from predictors.graph.routing import route
from predictors.graph.spec import parse_graph
from predictors.graph.targets import Target

CASES = orjson.loads(Path(__file__).with_name("kserve_cases.json").read_bytes())
BODIES = [
    b'{"predictions":[{"label":"dog"}]}',
    b'{"predictions":["cat",2.5]}',
    b'{"predictions":[]}',
    b'{"error":"x"}',
    b'{"predictions":[1],"instances":[9],"x":1}',
    b'{"a":{"b":[1,2]},"instances":[1]}',
    b"{}",
    b"[1]",
    b"plain",
    b"",
    b"null",
    b'{"predictions":{"a":1}}',
    b'{"predictions":[1],"instances":"s"}',
]


def plain(body: bytes) -> Any:
    """A body as JSON, or as it is: KServe's router orders the fields of what it has merged."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode()


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
async def test_the_answer_is_kserves(case: dict[str, Any]) -> None:
    asked: list[list[Any]] = []

    async def call(target: Target, message: Message, *, streamed: bool) -> Answer:
        asked.append([target.path, plain(message.body)])
        _, which, status = target.path.split("/")
        body = message.body if which == "echo" else BODIES[int(which)]
        return Answer(body, *content_of({}, body), status=int(status))

    graph = parse_graph(orjson.dumps({"nodes": case["nodes"]}), "recorded")
    answer = await route(graph, Message(case["request"].encode()), call)
    assert (answer.status, plain(answer.body)) == (case["status"], case["answer"])
    assert answer.content_type == "application/json"
    if case["asked"] is not None:
        # Sorted; of an Ensemble it is left open which calls are still made.
        told = [[path, plain(body.encode())] for path, body in case["asked"]]
        assert sorted(asked, key=str) == sorted(told, key=str)
