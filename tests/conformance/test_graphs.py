"""InferenceGraphs: the four routers, nested and failing, headers, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from rouse.errors import RejectedError
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_GRAPHS
from tests.conformance.cluster import Cluster
from tests.conformance.graphs import (
    ECHO_STEP,
    FIRST_STEP,
    SECOND_STEP,
    ask,
    deploy,
    graph,
    node,
    root,
)
from tests.conformance.settings import SHARED, changed
from tests.conformance.traffic import bounds, labels


@pytest.mark.usefixtures("iris_v2", "echo")
async def test_sequence(cluster: Cluster, name: str) -> None:
    """A Sequence gives the answer of one step to the next, predictions as instances if asked to."""
    mapped = {**ECHO_STEP, "data": "$response", "mapPredictionsToInstances": True}
    live = await deploy(cluster, graph(cluster, name, root("Sequence", SECOND_STEP, mapped)))
    answer = await ask(cluster, live)
    assert answer.status_code == 200, answer.text
    assert answer.json()["asked"] == {"instances": [cluster.models.flower.second]}
    whole = root("Sequence", SECOND_STEP, {**ECHO_STEP, "data": "$request"})
    await cluster.apply(graph(cluster, name, whole))

    async def asked_again() -> bool:
        asked = (await ask(cluster, live, mood="fine")).json()["asked"]
        return bool(asked == {"instances": [cluster.models.flower.row], "mood": "fine"})

    await cluster.eventually(asked_again, timeout_s=60)


@pytest.mark.usefixtures("echo", "iris")
async def test_a_sequence_that_ends(cluster: Cluster, name: str) -> None:
    """A Sequence ends at a step whose condition finds nothing in the answer before it."""
    last = {**ECHO_STEP, "data": "$response", "condition": "asked.again"}
    live = await deploy(cluster, graph(cluster, name, root("Sequence", ECHO_STEP, last)))
    assert "asked" not in (await ask(cluster, live)).json()["asked"]
    assert "asked" in (await ask(cluster, live, again=True)).json()["asked"]


@pytest.mark.usefixtures("iris", "iris_v2")
async def test_switch(cluster: Cluster, name: str) -> None:
    """A Switch asks the first step whose condition finds something; without one it says so."""
    steps = (
        {**SECOND_STEP, "condition": 'of.#(kind=="new").size'},
        {**FIRST_STEP, "condition": "of"},
    )
    live = await deploy(cluster, graph(cluster, name, root("Switch", *steps)))
    flower = cluster.models.flower
    new = await ask(cluster, live, of=[{"kind": "old"}, {"kind": "new", "size": 1}])
    assert new.json() == {"predictions": [flower.second]}
    old = await ask(cluster, live, of=[{"kind": "old", "size": 1}])
    assert old.json() == {"predictions": [flower.first]}
    neither = await ask(cluster, live)
    assert neither.status_code == 404
    assert name in neither.json()["error"]


@pytest.mark.usefixtures("iris", "iris_v2")
async def test_ensemble(cluster: Cluster, name: str) -> None:
    """An Ensemble asks all its steps and merges their answers under names, or numbers."""
    nodes = root("Ensemble", {**FIRST_STEP, "name": "first"}, SECOND_STEP)
    live = await deploy(cluster, graph(cluster, name, nodes))
    flower = cluster.models.flower
    assert (await ask(cluster, live)).json() == {
        "first": {"predictions": [flower.first]},
        "1": {"predictions": [flower.second]},
    }


@pytest.mark.usefixtures("iris", "iris_v2")
async def test_splitter(cluster: Cluster, name: str) -> None:
    """A Splitter asks one step, by weight."""
    nodes = root("Splitter", {**FIRST_STEP, "weight": 75}, {**SECOND_STEP, "weight": 25})
    live = await deploy(cluster, graph(cluster, name, nodes))
    found = await labels(cluster, live, 400)
    least, most = bounds(400, 25)
    assert least < found[cluster.models.flower.second] < most


@pytest.mark.usefixtures("iris", "iris_v2", "echo")
async def test_nodes_within_nodes(cluster: Cluster, name: str) -> None:
    """A step may be another node of the graph, at any depth."""
    nodes = {
        **root(
            "Switch", {"nodeName": "pair", "condition": "two"}, {**FIRST_STEP, "condition": "@this"}
        ),
        "pair": node("Ensemble", {"nodeName": "chain", "name": "chain"}, FIRST_STEP),
        "chain": node("Sequence", SECOND_STEP, {**ECHO_STEP, "data": "$response"}),
    }
    live = await deploy(cluster, graph(cluster, name, nodes))
    flower = cluster.models.flower
    assert (await ask(cluster, live)).json() == {"predictions": [flower.first]}
    pair = (await ask(cluster, live, two=True)).json()
    assert pair["1"] == {"predictions": [flower.first]}
    assert pair["chain"]["asked"] == {"predictions": [flower.second]}


@pytest.mark.usefixtures("echo", "iris")
@pytest.mark.parametrize("dependency", ["Soft", "Hard"])
async def test_a_step_that_fails(cluster: Cluster, name: str, dependency: str) -> None:
    """A Soft step that fails does not stop a Sequence; a Hard one does, with its own answer."""
    nodes = root("Sequence", {**ECHO_STEP, "dependency": dependency}, FIRST_STEP)
    live = await deploy(cluster, graph(cluster, name, nodes))
    answer = await ask(cluster, live, status=418)
    if dependency == "Soft":
        assert (answer.status_code, answer.json()) == (
            200,
            {"predictions": [cluster.models.flower.first]},
        )
    else:
        assert answer.status_code == 418
        assert answer.json()["asked"]["status"] == 418


@pytest.mark.usefixtures("echo")
async def test_headers(cluster: Cluster, name: str) -> None:
    """Steps get a request's trace, and none of the headers that nobody asked for."""
    live = await deploy(cluster, graph(cluster, name, root("Sequence", ECHO_STEP)))
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = {"traceparent": trace, "x-tenant": "a", "authorization": "b"}
    got = (await ask(cluster, live, headers=sent)).json()["headers"]
    assert got["traceparent"].split("-")[1] == trace.split("-")[1]
    assert not {"x-tenant", "authorization"} & got.keys()


@pytest.mark.usefixtures("echo")
async def test_headers_that_a_graph_names(cluster: Cluster, name: str) -> None:
    """With rouse.dev/propagate-headers a graph's steps get the headers that it names."""
    nodes = root("Sequence", ECHO_STEP)
    annotations = {"rouse.dev/propagate-headers": "authorization, x-tenant-.*"}
    live = await deploy(cluster, graph(cluster, name, nodes, annotations=annotations))
    sent = {"x-tenant-id": "a", "authorization": "b", "x-other": "c"}
    got = (await ask(cluster, live, headers=sent)).json()["headers"]
    assert (got["x-tenant-id"], got["authorization"]) == ("a", "b")
    assert "x-other" not in got


@pytest_asyncio.fixture(loop_scope="session")
async def tenants(cluster: Cluster) -> AsyncIterator[None]:
    """Routers pass X-Tenant headers on; rouse-config is as it was afterwards."""
    headers = {"headers": {"propagate": ["X-Tenant-.*"]}}
    async with changed(cluster, "router", lambda router: router | headers):
        yield


@pytest.mark.usefixtures("echo", "tenants")
@pytest.mark.changes_config(reason=SHARED)
async def test_headers_that_are_asked_for(cluster: Cluster, name: str) -> None:
    """With router.headers.propagate steps get the headers that its patterns name."""
    live = await deploy(cluster, graph(cluster, name, root("Sequence", ECHO_STEP)))
    sent = {"x-tenant-id": "a", "x-other": "b"}

    async def passed() -> bool:
        got = (await ask(cluster, live, headers=sent)).json()["headers"]
        assert "x-other" not in got
        return bool(got.get("x-tenant-id") == "a")

    await cluster.eventually(passed, timeout_s=60)


_STEP: Object = {"serviceUrl": "http://somewhere/"}

REFUSED: dict[str, tuple[dict[str, Object], list[str]]] = {
    "no-root": ({"start": node("Sequence", _STEP)}, ["spec.nodes", "root"]),
    "no-steps": (root("Sequence"), ["spec.nodes", "root", "step"]),
    "unknown-router": (root("Roulette", _STEP), ["routerType", "Roulette"]),
    "unknown-node": (root("Sequence", {"nodeName": "rot"}), ["nodeName", "rot"]),
    "circle": (
        {
            **root("Sequence", {"nodeName": "a"}),
            "a": node("Sequence", {"nodeName": "root"}),
        },
        ["spec.nodes", "root"],
    ),
    "weights-of-90": (
        root("Splitter", {**_STEP, "weight": 60}, {**_STEP, "weight": 30}),
        ["spec.nodes", "root", "100"],
    ),
    "two-targets": (root("Sequence", {**_STEP, "serviceName": "iris"}), ["serviceName"]),
    "no-target": (root("Sequence", {"name": "x"}), ["serviceName", "serviceUrl", "nodeName"]),
    "no-condition": (root("Switch", _STEP), ["condition"]),
    "bad-condition": (root("Switch", {**_STEP, "condition": "a.#(b"}), ["condition"]),
    "bad-url": (root("Sequence", {"serviceUrl": "ftp://x"}), ["serviceUrl"]),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refused(cluster: Cluster, name: str, case: str) -> None:
    """A graph that cannot be meant is refused, and the message names the field."""
    nodes, words = REFUSED[case]
    with pytest.raises(RejectedError) as told:
        await cluster.apply(graph(cluster, name, nodes))
    assert [word for word in words if word not in str(told.value)] == []
    assert await cluster.find(INFERENCE_GRAPHS, name) is None


@pytest.mark.usefixtures("iris")
async def test_a_bad_update(cluster: Cluster, name: str) -> None:
    """A refused update leaves a live graph answering as before."""
    live = await deploy(cluster, graph(cluster, name, root("Sequence", FIRST_STEP)))
    with pytest.raises(RejectedError):
        await cluster.apply(graph(cluster, name, root("Sequence", {"nodeName": "nobody"})))
    assert await cluster.label(live) == cluster.models.flower.first
