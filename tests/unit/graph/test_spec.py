"""A graph's JSON: what it becomes, and what is said of one that is wrong."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Any

import orjson
import pytest

from predictors.graph.errors import GraphError
from predictors.graph.spec import Timeouts, parse_graph

URL = "http://iris.default.svc.cluster.local/v1/models/iris:predict?a=b"


def parse(graph: object) -> Any:
    return parse_graph(orjson.dumps(graph), "animals")


def root(*steps: Any, kind: str = "Sequence", **further: Any) -> dict[str, Any]:
    return {"nodes": {"root": {"routerType": kind, "steps": list(steps)}}, **further}


def test_names_are_resolved() -> None:
    first = {"serviceName": "iris", "serviceUrl": URL, "data": "$response", "dependency": "Hard"}
    graph = root(first, {"nodeName": "next", "name": "n", "condition": "a.b"}, minReplicas=3)
    graph["nodes"]["next"] = {"routerType": "Ensemble", "steps": [{"serviceUrl": "https://[::1]"}]}
    made = parse(graph)
    one, two = made.root.steps
    assert (one.key, one.title, one.takes_answer, one.hard) == ("0", "iris", True, True)
    assert (two.key, two.title, two.takes_answer, two.hard) == ("n", "n", False, False)
    assert two.node is made.nodes["next"]
    assert two.condition.exists(b'{"a":{"b":null}}')
    target = one.target
    assert (target.origin.host, target.origin.port) == ("iris.default.svc.cluster.local", 80)
    assert target.head.startswith(b"POST /v1/models/iris:predict?a=b HTTP/1.1\r\nhost: iris.def")
    assert one.url == URL.removesuffix("?a=b"), "a query may hold a secret"
    other = two.node.steps[0].target
    assert (other.origin.scheme, other.origin.host, other.origin.port) == ("https", "::1", 443)
    assert (other.path, other.authority) == ("/", "[::1]")


@pytest.mark.parametrize(
    ("given", "timeouts"),
    [
        ({}, Timeouts(call=0, request=0, body=60)),
        ({"timeout": 5}, Timeouts(request=5)),
        ({"routerTimeouts": {"serverWrite": 3}, "timeout": 5}, Timeouts(request=3)),
        ({"routerTimeouts": {"serverWrite": 0}, "timeout": 5}, Timeouts(request=5)),
        ({"routerTimeouts": {"serviceClient": 2, "serverRead": 9}}, Timeouts(call=2, body=9)),
        ({"routerTimeouts": {"serverRead": 0}}, Timeouts(body=inf)),
        ({"routerTimeouts": {"serverIdle": 0}}, Timeouts(idle=0)),
        ({"routerTimeouts": None, "timeout": None}, Timeouts()),
    ],
)
def test_timeouts(given: dict[str, Any], timeouts: Timeouts) -> None:
    assert parse(root({"serviceUrl": URL}, **given)).timeouts == timeouts


STEP = {"serviceUrl": URL}


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ([], "the graph: must be a JSON object, got an array"),
        ({}, "nodes: must be an object with at least the node 'root'"),
        ({"nodes": {"a": {}}}, "nodes: has no 'root', where every request starts; it has a"),
        ({"nodes": {"root": []}}, "nodes.root: must be an object, got an array"),
        (
            root(STEP, kind="Random"),
            "nodes.root.routerType: must be one of Sequence, Splitter, Switch, Ensemble: 'Random'",
        ),
        (root(), "nodes.root.steps: a Sequence needs at least one step"),
        (root("iris"), "nodes.root.steps[0]: must be an object, got a string"),
        (
            root({"serviceName": "iris"}),
            "nodes.root.steps[0].serviceUrl: is missing for 'iris'; the controller resolves it",
        ),
        (
            root({}),
            "nodes.root.steps[0].serviceUrl: is missing, and there is no nodeName either",
        ),
        (
            root(STEP, {"nodeName": "other"}),
            "nodes.root.steps[1].nodeName: there is no node 'other'; there is root",
        ),
        (root({"nodeName": "root"}), "nodes: go round in a circle: root -> root"),
        (
            root({"serviceUrl": "iris:80"}),
            "nodes.root.steps[0].serviceUrl: 'iris:80' is no URL of a service; write "
            "http://<host>[:<port>]/<path>",
        ),
        (
            root({"serviceUrl": "http://a/b c"}),
            "nodes.root.steps[0].serviceUrl: 'http://a/b c' has a blank or a character that URLs "
            "do not have",
        ),
        (
            root({"serviceUrl": "http://u:p@a/"}),
            "nodes.root.steps[0].serviceUrl: the URL of a service holds no user or password",
        ),
        (
            root({"serviceUrl": "http://a:0/"}),
            "nodes.root.steps[0].serviceUrl: 'http://a:0/' has the port 0, at which nothing "
            "listens",
        ),
        (root({"serviceUrl": 7}), "nodes.root.steps[0].serviceUrl: must be a string, got 7"),
        (
            root({**STEP, "data": "$all"}),
            "nodes.root.steps[0].data: must be $request or $response, got '$all'",
        ),
        (
            root({**STEP, "dependency": "hard"}),
            "nodes.root.steps[0].dependency: must be Soft or Hard, got 'hard'",
        ),
        (
            root({**STEP, "weight": -1}),
            "nodes.root.steps[0].weight: must be a whole number from 0, got -1",
        ),
        (
            root({**STEP, "weight": 0}, kind="Splitter"),
            "nodes.root.steps: the weights of a Splitter add up to 0; nothing could be chosen",
        ),
        (root(STEP, kind="Switch"), "nodes.root.steps: every step of a Switch needs a condition"),
        (root(STEP, timeout="1s"), "timeout: must be a whole number from 0, got '1s'"),
        (
            root(STEP, routerTimeouts={"serverRead": True}),
            "routerTimeouts.serverRead: must be a whole number from 0, got True",
        ),
        (root(STEP, routerTimeouts=[]), "routerTimeouts: must be an object, got an array"),
        (root(STEP, routerTimeouts=[1]), "routerTimeouts: must be an object, got an array"),
    ],
)
def test_what_is_wrong_is_named(graph: object, message: str) -> None:
    with pytest.raises(GraphError) as raised:
        parse(graph)
    assert str(raised.value) == f"--graph-json: {message}"


def test_no_json() -> None:
    with pytest.raises(GraphError, match="--graph-json: the graph: is not JSON: "):
        parse_graph("{nodes", "animals")


def test_a_condition_that_is_no_path() -> None:
    with pytest.raises(GraphError, match=r"nodes\.root\.steps\[0\]\.condition: .*\(at character"):
        parse(root({**STEP, "condition": 'a.#(b=="'}))


def chain(levels: int, steps: int = 1, *, last_first: bool = False) -> dict[str, Any]:
    """Nodes that each ask the next one, in all of their steps."""
    names = ["root", *(f"n{i}" for i in range(1, levels))]
    nodes = {
        name: {"routerType": "Ensemble", "steps": [{"nodeName": below}] * steps}
        for name, below in pairwise(names)
    }
    nodes[names[-1]] = {"routerType": "Switch", "steps": [{**STEP, "condition": "a"}] * steps}
    return {"nodes": dict(reversed(nodes.items())) if last_first else nodes}


@pytest.mark.parametrize("last_first", [True, False])
def test_how_deep_and_how_wide_a_graph_may_be(last_first: bool) -> None:
    assert parse(chain(64, last_first=last_first)).root.levels == 64
    with pytest.raises(GraphError, match="lies in a chain of more than 64 nodes"):
        parse(chain(5000, last_first=last_first))
    # One call below a Switch, whichever step it takes.
    assert parse(chain(5, 10, last_first=last_first)).root.calls == 10_000
    with pytest.raises(GraphError, match=r"asks up to 100000 services .* at most 10000 may be"):
        parse(chain(7, 10, last_first=last_first))
