"""Who reaches a service: from outside, from inside only, under long names, across namespaces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from rouse.errors import RejectedError
from rouse.kube.objects import Object, owner_uids, uid_of
from rouse.kube.resources import INFERENCE_SERVICES, KNATIVE_SERVICES, SERVICES, VIRTUAL_SERVICES
from rouse.sdk.conditions import is_ready
from tests.conformance.cluster import Cluster
from tests.conformance.conftest import namespace_of, remove_namespace
from tests.conformance.models import SECOND

CLUSTER_LOCAL = "networking.kserve.io/visibility"


@pytest.mark.parametrize("where", ["labels", "annotations"])
async def test_cluster_local(cluster: Cluster, name: str, where: str) -> None:
    """A cluster-local service has an inner URL only, and the ingress does not know it."""
    given: dict[str, Any] = {where: {CLUSTER_LOCAL: "cluster-local"}}
    await cluster.apply(cluster.isvc(name, **given))
    live = await cluster.ready(name)
    assert urlsplit(live["status"]["url"]).netloc.endswith(".svc.cluster.local")
    for host in (live["status"]["url"], await outside(cluster, name)):
        await cluster.until_answer(
            host, "GET", "/v2/health/ready", lambda answer: answer.status_code == 404
        )


async def outside(cluster: Cluster, name: str) -> str:
    """The URL a service of that name would have for the outside."""
    live: Object = await cluster.find(INFERENCE_SERVICES, "iris") or await cluster.deploy(
        cluster.isvc("iris")
    )
    # Where ingress is left to Knative the host is that of the predictor: iris-predictor.
    return str(live["status"]["url"]).replace("://iris", f"://{name}", 1)


async def test_taken_from_the_outside(cluster: Cluster, name: str) -> None:
    """A live service that becomes cluster-local is no longer reached from outside, and back."""
    live = await cluster.deploy(cluster.isvc(name))
    labels = {CLUSTER_LOCAL: "cluster-local"}
    await cluster.apply(cluster.isvc(name, labels=labels))
    await cluster.until_answer(
        live, "GET", "/v2/health/ready", lambda answer: answer.status_code == 404
    )
    await cluster.apply(cluster.isvc(name))
    await cluster.until_answer(
        live, "GET", "/v2/health/ready", lambda answer: answer.status_code == 200
    )


async def test_long_names(cluster: Cluster) -> None:
    """A name as long as a host's part may be is served, whatever has to be made shorter of it."""
    name = f"long-{'n' * 58}"
    try:
        live = await cluster.deploy(cluster.isvc(name))
        assert await cluster.label(live) == cluster.models.flower.first
        objects = (await cluster.kube.list(KNATIVE_SERVICES, cluster.namespace)).items
        mine = [one for one in objects if uid_of(live) in owner_uids(one)]
        assert mine
        assert all(len(one["metadata"]["name"]) <= 63 for one in mine)
    finally:
        await cluster.delete(INFERENCE_SERVICES, name)


async def test_too_long_names(cluster: Cluster) -> None:
    """A name that is longer than that is refused."""
    with pytest.raises(RejectedError) as refused:
        await cluster.apply(cluster.isvc(f"long-{'n' * 59}"))
    assert "metadata.name" in str(refused.value)


@pytest_asyncio.fixture(loop_scope="session")
async def neighbour(cluster: Cluster) -> AsyncIterator[str]:
    """A second namespace of the run."""
    name = f"{cluster.namespace}-b"
    await cluster.kube.create(namespace_of(name))
    yield name
    await remove_namespace(cluster, name)


async def test_two_namespaces(cluster: Cluster, name: str, neighbour: str) -> None:
    """Services of one name in two namespaces do not know each other."""
    mine = await cluster.deploy(cluster.isvc(name))
    other = cluster.isvc(name, model=SECOND)
    other["metadata"]["namespace"] = neighbour
    await cluster.apply(other)

    def ready(services: list[Object]) -> bool:
        return any(is_ready(one) for one in services)

    (theirs,) = await cluster.until(INFERENCE_SERVICES, ready, namespace=neighbour)
    assert theirs["status"]["url"] != mine["status"]["url"]
    await cluster.until_answer(
        theirs, "GET", "/v2/health/ready", lambda answer: answer.status_code == 200
    )
    assert await cluster.label(mine) == cluster.models.flower.first
    assert await cluster.label(theirs) == cluster.models.flower.second
    await cluster.kube.delete(INFERENCE_SERVICES, name, neighbour)
    assert await cluster.label(mine) == cluster.models.flower.first


@pytest.mark.usefixtures("istio")
async def test_routes_are_istios(cluster: Cluster, iris: Object) -> None:
    """One VirtualService has the hosts, and its destinations identify the revision to Knative."""
    spec = (await cluster.get(VIRTUAL_SERVICES, "iris"))["spec"]
    assert urlsplit(iris["status"]["url"]).hostname in spec["hosts"]
    assert urlsplit(iris["status"]["address"]["url"]).hostname in spec["hosts"]
    revision = iris["status"]["components"]["predictor"]["latestReadyRevision"]
    (route,) = spec["http"][-1]["route"]
    headers = route["headers"]["request"]["set"]
    assert headers["Knative-Serving-Revision"] == revision
    assert headers["Knative-Serving-Namespace"] == cluster.namespace


@pytest.mark.usefixtures("istio")
async def test_a_name_in_the_cluster(cluster: Cluster, iris: Object) -> None:
    """The service's name in the cluster leads to the local gateway."""
    service = await cluster.get(SERVICES, "iris")
    assert service["spec"]["type"] == "ExternalName"
    assert service["spec"]["externalName"].endswith(".svc.cluster.local")
