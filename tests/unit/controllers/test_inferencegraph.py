"""An InferenceGraph and its steps in -> writes, status and events out, on the real API's core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from rouse.controllers.writing import NotOwnedError
from rouse.errors import ConflictError, RejectedError, TooManyRequestsError, UnavailableError
from rouse.kube import Key
from rouse.kube.objects import Object
from rouse.kube.resources import (
    AUTHORIZATION_POLICIES,
    CONFIG_MAPS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    SERVICES,
    VIRTUAL_SERVICES,
)
from tests.unit.controllers.graphs import GRAPH, GraphHarness, graph
from tests.unit.controllers.harness import running

ROUTER = "PATCH services/flow"
ROUTES = "PATCH virtualservices/flow"
STATUS = "PUT inferencegraphs/flow/status"
STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}
ISSUER = {"issuer": "https://login", "jwks": '{"keys": []}'}


@pytest.fixture
async def world() -> AsyncIterator[GraphHarness]:
    async with running(GraphHarness) as one:
        yield one


async def rolled_out(world: GraphHarness, wanted: Object | None = None) -> None:
    """Bring the graph to Ready with its first revision."""
    await world.serve("iris")
    await world.apply(wanted or graph())
    await world.settle()
    await world.roll_out()
    await world.settle()


async def told(world: GraphHarness) -> Object:
    """Return what the router is told."""
    live = await world.get(KNATIVE_SERVICES, "flow")
    args = live["spec"]["template"]["spec"]["containers"][0]["args"]
    document: Object = orjson.loads(args[args.index("--graph-json") + 1])
    return document


async def policies(world: GraphHarness) -> list[str]:
    listed = await world.user.list(AUTHORIZATION_POLICIES, "istio-system")
    return [one["metadata"]["name"] for one in listed.items]


async def test_from_apply_to_ready(world: GraphHarness) -> None:
    await world.serve("iris")
    await world.apply(graph())
    assert await world.settle() == [ROUTER, STATUS]
    assert (await world.conditions())["Ready"] == "Unknown"
    await world.roll_out()
    assert await world.settle() == [ROUTES, STATUS]
    assert set((await world.conditions()).values()) == {"True"}
    status = await world.status()
    assert status["url"] == "http://flow.default.localhost"
    assert (status["deploymentMode"], status["observedGeneration"]) == ("Knative", 1)
    (step,) = (await told(world))["nodes"]["root"]["steps"]
    assert step["serviceUrl"] == "http://iris.default.svc.cluster.local/v1/models/iris:predict"
    assert await world.events() == ["Normal InferenceGraphReady x1"]


async def test_at_steady_state_nothing_is_written_nor_asked(world: GraphHarness) -> None:
    await rolled_out(world)
    world.faults.requests.clear()
    for _ in range(3):
        await world.reconcile(GRAPH)
    assert not world.faults.requests


async def test_at_steady_state_keys_ask_nothing_either(world: GraphHarness) -> None:
    await world.serve("iris")
    await world.apply(graph(annotations={"rouse.dev/auth": "api-key"}))
    await world.settle()
    await world.roll_out()
    await world.settle()
    assert await policies(world) == ["rouse-graph-api-key-default.flow"]
    world.faults.requests.clear()
    await world.reconcile(GRAPH)
    assert not world.faults.requests


async def test_a_step_that_fails_is_named_with_its_reason(world: GraphHarness) -> None:
    await rolled_out(world)
    for reason in ("Stopped", "ModelLoadFailed"):
        await world.serve("iris", ready=False, reason=reason)
        assert await world.settle() == [STATUS]
        steps = await world.condition("StepsReady")
        assert steps["status"] == "False"
        assert steps["message"] == f"waiting for InferenceService iris ({reason})"


async def test_nothing_is_made_before_every_step_has_an_address(world: GraphHarness) -> None:
    await world.apply(graph("iris", "wine"))
    assert await world.settle() == [STATUS]
    steps = await world.condition("StepsReady")
    assert (steps["status"], steps["reason"]) == ("False", "InferenceServiceNotFound")
    assert "iris, wine" in steps["message"]
    assert (await world.condition("RouterReady"))["reason"] == "WaitingForSteps"
    await world.serve("iris")
    await world.serve("wine", ready=False, address=False)
    assert await world.settle() == [STATUS]
    assert (await world.condition("StepsReady"))["reason"] == "InferenceServiceNotReady"
    await world.serve("wine")
    assert await world.settle() == [ROUTER, STATUS]
    assert (await world.conditions())["StepsReady"] == "True"


async def test_what_serves_goes_on_without_an_inference_service(world: GraphHarness) -> None:
    await rolled_out(world)
    await world.unserve("iris")
    assert await world.settle() == [STATUS]
    assert await world.conditions() == {
        "Ready": "False",
        "RouterReady": "True",
        "StepsReady": "False",
    }
    assert (await world.status())["url"] == "http://flow.default.localhost"
    assert await world.names(VIRTUAL_SERVICES) == ["flow"]
    await world.serve("iris")
    assert await world.settle() == [STATUS]
    assert set((await world.conditions()).values()) == {"True"}


async def test_a_changed_graph_is_knatives_to_roll_out(world: GraphHarness) -> None:
    await rolled_out(world)
    await world.serve("wine")
    await world.apply(graph("wine"))
    assert await world.settle() == [ROUTER, STATUS]
    assert (await told(world))["nodes"]["root"]["steps"][0]["serviceName"] == "wine"
    (rule,) = (await world.get(VIRTUAL_SERVICES, "flow"))["spec"]["http"]
    assert rule["route"][0]["destination"]["host"].startswith("flow-00001.")
    await world.roll_out("flow-00002")
    assert await world.settle() == [ROUTES, STATUS]
    (rule,) = (await world.get(VIRTUAL_SERVICES, "flow"))["spec"]["http"]
    assert rule["route"][0]["destination"]["host"].startswith("flow-00002.")


@pytest.mark.parametrize(
    ("resource", "patch", "writes"),
    [
        (KNATIVE_SERVICES, {"spec": {"traffic": []}}, [ROUTER]),
        (KNATIVE_SERVICES, {"metadata": {"labels": {"component": "x"}}}, [ROUTER]),
        (VIRTUAL_SERVICES, {"spec": {"hosts": ["other"]}}, [ROUTES]),
        (VIRTUAL_SERVICES, {"metadata": {"labels": {"mine": "yes"}}}, []),
    ],
)
async def test_drift_is_repaired_what_others_add_is_left_alone(
    world: GraphHarness, resource: Any, patch: Object, writes: list[str]
) -> None:
    await rolled_out(world)
    before = await world.get(resource, "flow")
    await world.user.patch(resource, "flow", patch, namespace="default")
    assert [one for one in await world.settle() if one != STATUS] == writes
    assert (await world.get(resource, "flow"))["spec"] == before["spec"]


async def test_stop_removes_everything_and_start_brings_it_back(world: GraphHarness) -> None:
    await rolled_out(world)
    await world.apply(graph(annotations={"serving.kserve.io/stop": "true"}))
    await world.settle()
    assert await world.names(KNATIVE_SERVICES) == await world.names(VIRTUAL_SERVICES) == []
    assert (await world.conditions())["Stopped"] == "True"
    assert "url" not in await world.status()
    await world.user.patch(
        INFERENCE_GRAPHS, "flow", {"metadata": {"annotations": None}}, namespace="default"
    )
    assert await world.settle() == [ROUTER, STATUS]
    assert "Stopped" not in await world.conditions()


async def test_the_name_of_an_inference_service_is_refused(world: GraphHarness) -> None:
    await world.serve("flow")
    await world.serve("iris")
    await world.apply(graph())
    assert await world.settle() == [STATUS]
    router = await world.condition("RouterReady")
    assert (router["status"], router["reason"]) == ("False", "NameTaken")
    assert "give the graph another name" in router["message"]
    assert await world.events() == ["Warning NameTaken x1"]
    await world.unserve("flow")
    assert await world.settle() == [ROUTER, STATUS]


async def test_who_had_the_name_first_keeps_it(world: GraphHarness) -> None:
    await rolled_out(world)
    await world.serve("flow")
    assert await world.settle() == []
    assert set((await world.conditions()).values()) == {"True"}


async def test_a_name_that_is_somebody_elses_writes_nothing_at_all(world: GraphHarness) -> None:
    await world.serve("iris")
    await world.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "flow", "namespace": "default"},
            "spec": {"type": "ExternalName", "externalName": "elsewhere"},
        }
    )
    await world.apply(graph(annotations=STANDARD))
    await world.caught_up()
    with pytest.raises(NotOwnedError, match="rename the InferenceGraph"):
        await world.reconcile(GRAPH)
    assert world.faults.writes == [STATUS]
    assert (await world.condition("RouterReady"))["reason"] == "NameTaken"
    assert (await world.get(SERVICES, "flow"))["spec"]["externalName"] == "elsewhere"


async def test_whose_knative_service_has_the_name_is_told(world: GraphHarness) -> None:
    await world.serve("iris")
    await world.apply(
        {
            "apiVersion": "serving.knative.dev/v1",
            "kind": "Service",
            "metadata": {"name": "flow", "namespace": "default"},
            "spec": {"template": {"spec": {"containers": [{"image": "mine"}]}}},
        }
    )
    await world.apply(graph())
    await world.caught_up()
    with pytest.raises(NotOwnedError, match="Knative Service flow in namespace default was made"):
        await world.reconcile(GRAPH)
    assert world.faults.writes == [STATUS]


async def test_the_mode_standard(world: GraphHarness) -> None:
    await world.serve("iris")
    await world.apply(graph(annotations=STANDARD, nodeName="node-a", maxReplicas=3))
    await world.settle()
    deployment = await world.get(DEPLOYMENTS, "flow")
    assert deployment["spec"]["template"]["spec"]["nodeName"] == "node-a"
    assert (await world.get(SERVICES, "flow"))["spec"]["ports"][0]["targetPort"] == 8080
    scaler = await world.get(HORIZONTAL_POD_AUTOSCALERS, "flow")
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (1, 3)
    assert await world.names(VIRTUAL_SERVICES) == ["flow"]
    assert await world.names(KNATIVE_SERVICES) == []
    status = {
        "observedGeneration": deployment["metadata"]["generation"],
        "conditions": [{"type": "Available", "status": "True"}],
    }
    await world._write_status(deployment, status)
    assert await world.settle() == [STATUS]
    assert set((await world.conditions()).values()) == {"True"}


async def test_policies_come_before_the_router_and_go_after_its_routes(
    world: GraphHarness,
) -> None:
    auth = orjson.dumps({"jwt": [ISSUER]}).decode()
    await world.user.patch(
        CONFIG_MAPS, "rouse-config", {"data": {"auth": auth}}, namespace="rouse-system"
    )
    await world.serve("iris")
    await world.apply(graph(annotations={"rouse.dev/auth": "jwt"}))
    writes = await world.settle()
    policy = "PATCH authorizationpolicies/rouse-graph-jwt-default.flow"
    assert writes.index(policy) < writes.index(ROUTER)
    await world.roll_out()
    await world.settle()
    assert await policies(world) == ["rouse-graph-jwt-default.flow"]
    await world.user.delete(INFERENCE_GRAPHS, "flow", "default")
    await world.settle()
    if await world.names(VIRTUAL_SERVICES):
        assert await policies(world) == ["rouse-graph-jwt-default.flow"]
    async with asyncio.timeout(10):
        while await policies(world):
            await world.settle()
            await asyncio.sleep(0.01)  # the API in memory answers without giving way
    assert await world.names(VIRTUAL_SERVICES) == await world.names(KNATIVE_SERVICES) == []


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (409, "Conflict", ConflictError),
        (429, "TooManyRequests", TooManyRequestsError),
        (503, "ServiceUnavailable", UnavailableError),
    ],
)
@pytest.mark.parametrize("what", [ROUTER, STATUS])
async def test_a_failure_is_raised_and_the_next_try_ends_the_same(
    world: GraphHarness, what: str, code: int, reason: str, error: type[Exception]
) -> None:
    await world.serve("iris")
    await world.apply(graph())
    await world.caught_up()
    world.faults.fail(what, code, reason)
    with pytest.raises(error):
        await world.reconcile(GRAPH)
    await world.settle()
    await world.roll_out()
    await world.settle()
    assert set((await world.conditions()).values()) == {"True"}


async def test_what_the_api_refuses_is_told(world: GraphHarness) -> None:
    await world.serve("iris")
    await world.apply(graph())
    await world.caught_up()
    world.faults.fail(ROUTER, 422, "Invalid", "spec.template: no")
    with pytest.raises(RejectedError):
        await world.reconcile(GRAPH)
    router = await world.condition("RouterReady")
    assert (router["status"], router["reason"]) == ("False", "InvalidGraphSpec")
    assert "spec.template: no" in router["message"]


async def test_without_knative_the_status_says_what_to_do(world: GraphHarness) -> None:
    await world.serve("iris")
    await world.apply(graph())
    await world.caught_up()
    world.faults.fail(ROUTER, 404, "NotFound", "the server could not find the requested resource")
    with pytest.raises(RejectedError):
        await world.reconcile(GRAPH)
    message = (await world.condition("RouterReady"))["message"]
    assert "install Knative Serving, or set serving.kserve.io/deploymentMode to Standard" in message


@pytest.mark.parametrize("after", range(1, 5))
async def test_a_crash_after_any_write_changes_nothing_about_the_end(after: int) -> None:
    async with running(GraphHarness) as world:
        world.faults.crash_after = after
        await rolled_out(world)
        assert world.crashes == 1
        assert set((await world.conditions()).values()) == {"True"}
        world.faults.requests.clear()
        await world.reconcile(GRAPH)
        assert not world.faults.requests


async def test_a_graph_that_is_gone_is_left_alone(world: GraphHarness) -> None:
    await world.reconcile(Key("default", "never"))
    assert not world.faults.writes
    assert await world.names(INFERENCE_SERVICES) == []
