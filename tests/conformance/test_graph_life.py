"""The life of an InferenceGraph: at zero, changed, waiting, stopped, deleted, in both modes."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

import pytest

from rouse.errors import RejectedError
from rouse.kube.objects import Object, owner_uids, uid_of
from rouse.kube.resources import (
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    PODS,
    SERVICES,
)
from tests.conformance.cluster import Cluster
from tests.conformance.conftest import namespace_of, remove_namespace
from tests.conformance.graphs import FIRST_STEP, SECOND_STEP, deploy, graph, root
from tests.conformance.models import SECOND
from tests.conformance.test_deletion import belonging, gone
from tests.conformance.test_scaling import ASLEEP_S, SHORT_WINDOW
from tests.conformance.traffic import steadily

STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}


def selector(name: str) -> str:
    return f"serving.kserve.io/inferencegraph={name}"


async def test_to_zero_and_back(cluster: Cluster, name: str) -> None:
    """A graph and its service with minReplicas 0 sleep, stay ready, and one request wakes both."""
    step = f"{name}-step"
    await cluster.deploy(cluster.isvc(step, annotations=SHORT_WINDOW, minReplicas=0))
    try:
        nodes = root("Sequence", {"serviceName": step})
        wanted = graph(cluster, name, nodes, annotations=SHORT_WINDOW, minReplicas=0)
        live = await deploy(cluster, wanted)
        for label in (selector(name), f"serving.kserve.io/inferenceservice={step}"):
            await cluster.until(PODS, lambda pods: not pods, labels=label, timeout_s=ASLEEP_S)
        again = await cluster.ready(name, resource=INFERENCE_GRAPHS)
        assert again["status"]["url"] == live["status"]["url"]
        assert await cluster.label(live) == cluster.models.flower.first
    finally:
        await cluster.delete(INFERENCE_SERVICES, step)


@pytest.mark.usefixtures("iris")
async def test_status(cluster: Cluster, name: str) -> None:
    """The status says conditions, URL, mode and generation; an Event says that it is ready."""
    live = await deploy(cluster, graph(cluster, name, root("Sequence", FIRST_STEP)))
    status = live["status"]
    told = {each["type"]: each["status"] for each in status["conditions"]}
    assert told == {"Ready": "True", "RouterReady": "True", "StepsReady": "True"}
    assert urlsplit(status["url"]).netloc.startswith(f"{name}.{cluster.namespace}.")
    assert status["deploymentMode"] in ("Knative", "Serverless")
    assert status["observedGeneration"] == live["metadata"]["generation"]
    await cluster.until_event(name, "InferenceGraphReady", resource=INFERENCE_GRAPHS)


@pytest.mark.usefixtures("iris", "iris_v2")
async def test_update(cluster: Cluster, name: str) -> None:
    """A changed graph takes over without a failed request."""
    live = await deploy(cluster, graph(cluster, name, root("Sequence", FIRST_STEP)))
    async with steadily(cluster, live) as steady:
        await cluster.apply(graph(cluster, name, root("Sequence", SECOND_STEP)))

        async def taken_over() -> bool:
            return await cluster.label(live) == cluster.models.flower.second

        await cluster.eventually(taken_over, timeout_s=90)
        await cluster.ready(name, resource=INFERENCE_GRAPHS)
    assert steady.failures == Counter()


async def test_a_service_that_comes_later(cluster: Cluster, name: str) -> None:
    """A graph that names a missing service says which, and is ready once that is there."""
    step = f"{name}-step"
    await cluster.apply(graph(cluster, name, root("Sequence", {"serviceName": step})))
    told = await cluster.told(name, "StepsReady", resource=INFERENCE_GRAPHS)
    assert told["reason"] == "InferenceServiceNotFound"
    assert step in told["message"]
    assert await cluster.find(KNATIVE_SERVICES, name) is None
    try:
        await cluster.apply(cluster.isvc(step))
        live = await cluster.ready(name, resource=INFERENCE_GRAPHS)
        await cluster.until_answer(live, "GET", "/readyz", lambda told: told.status_code == 200)
        assert await cluster.label(live) == cluster.models.flower.first
    finally:
        await cluster.delete(INFERENCE_SERVICES, step)


@pytest.mark.usefixtures("iris")
@pytest.mark.cluster_only(reason="the embedded engine's pods need no ServiceAccount")
async def test_a_router_that_cannot_start(cluster: Cluster, name: str) -> None:
    """Why a router's pod cannot be made is in the status, in the words of who refused it."""
    nodes = root("Sequence", FIRST_STEP)
    await cluster.apply(graph(cluster, name, nodes, serviceAccountName="nobody"))
    told = await cluster.told(name, "RouterReady", resource=INFERENCE_GRAPHS)
    assert "serviceaccount" in told["message"]
    assert "nobody" in told["message"]


async def test_a_name_that_is_taken(cluster: Cluster, iris: Object) -> None:
    """A graph with the name of a service says that it is taken, and the service is not touched."""
    taken = iris["metadata"]["name"]
    try:
        await cluster.apply(graph(cluster, taken, root("Sequence", FIRST_STEP)))
        told = await cluster.told(taken, "Ready", resource=INFERENCE_GRAPHS)
        assert told["reason"] == "NameTaken"
        assert taken in told["message"]
        assert await cluster.find(KNATIVE_SERVICES, taken) is None
    finally:
        await cluster.delete(INFERENCE_GRAPHS, taken)
    assert await cluster.label(await cluster.ready(taken)) == cluster.models.flower.first


@pytest.mark.usefixtures("iris", "istio")
async def test_a_service_with_the_name_of_a_graph(cluster: Cluster, name: str) -> None:
    """A service with the name of a graph is told so where both need it; the graph answers on."""
    live = await deploy(cluster, graph(cluster, name, root("Sequence", FIRST_STEP)))
    await cluster.apply(cluster.isvc(name, model=SECOND))
    told = await cluster.told(name, "Ready")
    assert name in told["message"]
    again = await cluster.ready(name, resource=INFERENCE_GRAPHS)
    assert again["status"]["url"] == live["status"]["url"]
    assert await cluster.label(live) == cluster.models.flower.first


@pytest.mark.usefixtures("iris")
async def test_stop(cluster: Cluster, name: str) -> None:
    """The stop annotation takes the router down and says so; without it the graph is back."""
    nodes = root("Sequence", FIRST_STEP)
    live = await deploy(cluster, graph(cluster, name, nodes))
    stop = {"serving.kserve.io/stop": "true"}
    await cluster.apply(graph(cluster, name, nodes, annotations=stop))
    told = await cluster.told(name, "Stopped", "True", resource=INFERENCE_GRAPHS)
    assert "serving.kserve.io/stop" in told["message"]
    await cluster.until_gone(KNATIVE_SERVICES, name)
    await cluster.until(PODS, lambda pods: not pods, labels=selector(name), timeout_s=120)
    await deploy(cluster, graph(cluster, name, nodes))
    assert await cluster.label(live) == cluster.models.flower.first


@pytest.mark.usefixtures("iris")
@pytest.mark.parametrize("mode", ["Knative", "Standard"])
async def test_nothing_is_left(cluster: Cluster, name: str, mode: str) -> None:
    """With the graph goes all that was made for it, in both modes; its services stay."""
    annotations = {"serving.kserve.io/deploymentMode": mode}
    await cluster.apply(graph(cluster, name, root("Sequence", FIRST_STEP), annotations=annotations))
    await cluster.ready(name, resource=INFERENCE_GRAPHS)
    assert {"services", "pods", "deployments"} <= (await belonging(cluster, name)).keys()
    await cluster.delete(INFERENCE_GRAPHS, name)
    await gone(cluster, name)
    assert await cluster.find(INFERENCE_SERVICES, "iris")


@pytest.mark.usefixtures("iris")
async def test_standard(cluster: Cluster, name: str) -> None:
    """In the mode Standard it is a Deployment, a Service and an autoscaler, asked by its URL."""
    nodes = root("Sequence", FIRST_STEP)
    wanted = graph(cluster, name, nodes, annotations=STANDARD, minReplicas=1, maxReplicas=3)
    await cluster.apply(wanted)
    live = await cluster.ready(name, resource=INFERENCE_GRAPHS)
    assert live["status"]["deploymentMode"] in ("Standard", "RawDeployment")
    for kind in (DEPLOYMENTS, SERVICES, HORIZONTAL_POD_AUTOSCALERS):
        assert uid_of(live) in owner_uids(await cluster.get(kind, name))
    scaler = (await cluster.get(HORIZONTAL_POD_AUTOSCALERS, name))["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (1, 3)
    assert await cluster.find(KNATIVE_SERVICES, name) is None
    # From inside the cluster, which needs no ingress: by another graph.
    inside = {"serviceUrl": f"http://{name}.{cluster.namespace}.svc.cluster.local/"}
    front = f"{name}-front"
    try:
        asking = await deploy(cluster, graph(cluster, front, root("Sequence", inside)))
        assert await cluster.label(asking) == cluster.models.flower.first
    finally:
        await cluster.delete(INFERENCE_GRAPHS, front)


@pytest.mark.usefixtures("iris", "istio")
async def test_standard_from_outside(cluster: Cluster, name: str) -> None:
    """In the mode Standard, too, a graph answers through the ingress."""
    nodes = root("Sequence", FIRST_STEP)
    live = await deploy(cluster, graph(cluster, name, nodes, annotations=STANDARD))
    assert await cluster.label(live) == cluster.models.flower.first


@pytest.mark.usefixtures("iris")
@pytest.mark.cluster_only(
    reason="pod security is the API server's, and embedded pods are processes"
)
async def test_restricted(cluster: Cluster, name: str) -> None:
    """A router's pod keeps to the pod security standard restricted."""
    await deploy(cluster, graph(cluster, name, root("Sequence", FIRST_STEP)))
    (pod,) = await cluster.until(
        PODS, lambda pods: len(pods) == 1, labels=selector(name), timeout_s=60
    )
    place = f"{cluster.namespace}-restricted"
    namespace = namespace_of(place)
    namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "restricted"
    await cluster.kube.create(namespace)
    try:
        spec = {k: v for k, v in pod["spec"].items() if k not in ("nodeName", "serviceAccountName")}
        copied = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": place}}

        async def taken() -> bool:
            # The namespace has its ServiceAccount a moment after it is made.
            try:
                await cluster.kube.apply({**copied, "spec": spec}, dry_run=True)
            except RejectedError as error:
                if "serviceaccount" in str(error):
                    return False
                raise
            return True

        await cluster.eventually(taken)
    finally:
        await remove_namespace(cluster, place)
