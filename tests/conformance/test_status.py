"""What an InferenceService tells of itself: conditions, addresses, components, columns, events."""

from __future__ import annotations

import httpx
import orjson

from rouse.kube.objects import Object, condition_of
from rouse.kube.requests import ApiRequest
from rouse.kube.resources import INFERENCE_SERVICES, REVISIONS
from tests.conformance.cluster import Cluster

COLUMNS = ["Name", "URL", "Ready", "Prev", "Latest", "PrevRolledoutRevision", "LatestReadyRevision"]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


async def test_conditions(cluster: Cluster, iris: Object) -> None:
    """Every condition of KServe's is True once the service is ready, and says since when."""
    for type_ in (
        "Ready",
        "PredictorReady",
        "IngressReady",
        "LatestDeploymentReady",
        "RoutesReady",
        "PredictorRouteReady",
        "PredictorConfigurationReady",
    ):
        condition = condition_of(iris, type_)
        assert condition is not None, type_
        assert condition["status"] == "True", type_
        assert condition["lastTransitionTime"]


async def test_addresses(cluster: Cluster, iris: Object) -> None:
    """The status has the URL for the outside and the address for the inside of the cluster."""
    url = httpx.URL(iris["status"]["url"])
    assert url.host.startswith("iris")
    assert cluster.namespace in url.host
    inside = httpx.URL(iris["status"]["address"]["url"]).host
    assert inside.startswith("iris")
    assert inside.endswith(f"{cluster.namespace}.svc.cluster.local")


async def test_components(cluster: Cluster, iris: Object) -> None:
    """The predictor's part of the status names its revisions, its share and its URL."""
    told = iris["status"]["components"]["predictor"]
    latest = told["latestReadyRevision"]
    assert told["latestCreatedRevision"] == told["latestRolledoutRevision"] == latest
    assert await cluster.get(REVISIONS, latest)
    assert [(each["revisionName"], each["percent"]) for each in told["traffic"]] == [(latest, 100)]
    assert told["url"].startswith("http")


async def test_model_status(cluster: Cluster, iris: Object) -> None:
    """The model's state is told: up to date, loaded, so many copies."""

    def counted(isvc: Object) -> bool:
        return bool(isvc["status"]["modelStatus"].get("copies", {}).get("totalCopies") == 1)

    live = await cluster.until_one(INFERENCE_SERVICES, "iris", counted, timeout_s=30)
    told = live["status"]["modelStatus"]
    assert told["transitionStatus"] == "UpToDate"
    assert told["states"] == {"activeModelState": "Loaded", "targetModelState": "Loaded"}
    assert told["copies"]["failedCopies"] == 0


async def test_observed_generation(cluster: Cluster, name: str) -> None:
    """observedGeneration follows the generation; a change of the status makes no generation."""
    live = await cluster.deploy(cluster.isvc(name))
    assert live["status"]["observedGeneration"] == live["metadata"]["generation"] == 1
    await cluster.apply(cluster.isvc(name, maxReplicas=3))
    live = await cluster.ready(name)
    assert live["status"]["observedGeneration"] == live["metadata"]["generation"] == 2


async def test_columns(cluster: Cluster, iris: Object) -> None:
    """A Table of the server has KServe's columns, filled in."""
    path = INFERENCE_SERVICES.path(cluster.namespace, "iris")
    table = await cluster.kube.send(ApiRequest("GET", path, accept=TABLE))
    assert table["kind"] == "Table"
    names = [column["name"] for column in table["columnDefinitions"]]
    assert [name for name in names if name in COLUMNS] == COLUMNS
    assert names[-1] == "Age"
    (row,) = table["rows"]
    cells = dict(zip(names, row["cells"], strict=True))
    assert cells["Name"] == "iris"
    assert cells["URL"] == iris["status"]["url"]
    assert cells["Ready"] == "True"
    assert str(cells["Latest"]) == "100"
    revision = iris["status"]["components"]["predictor"]["latestReadyRevision"]
    assert cells["LatestReadyRevision"] == revision


async def test_events_of_a_rollout(cluster: Cluster, name: str) -> None:
    """Becoming ready and every new split of the requests is an Event about the service."""
    await cluster.deploy(cluster.isvc(name))
    ready = await cluster.until_event(name, "InferenceServiceReady")
    assert ready["type"] == "Normal"
    assert ready["count"] == 1 or ready.get("series") is None
    await cluster.until_event(name, "RolledOut")
    await cluster.apply(cluster.isvc(name, model="iris-v2", canaryTrafficPercent=25))
    split = await cluster.until_event(name, "TrafficSplit")
    assert "25 %" in split["message"]


async def test_events_of_a_failure(cluster: Cluster, name: str) -> None:
    """A model that cannot be served is a Warning with the reason of the condition."""
    await cluster.apply(cluster.isvc(name, model_fields={"modelFormat": {"name": "cobol"}}))
    told = await cluster.told(name, "LatestDeploymentReady")
    event = await cluster.until_event(name, told["reason"])
    assert event["type"] == "Warning"
    assert "cobol" in event["message"]


async def test_at_rest_nothing_is_written(cluster: Cluster, name: str) -> None:
    """Applying a ready service again as it is changes neither it nor what was made of it."""
    await cluster.deploy(cluster.isvc(name))
    await cluster.until_event(name, "RolledOut")
    ksvc = await cluster.ksvc(name)
    again = await cluster.apply(cluster.isvc(name))
    assert again["metadata"]["generation"] == 1
    assert (await cluster.ksvc(name))["metadata"]["generation"] == ksvc["metadata"]["generation"]


async def test_the_api_documents_the_kind(cluster: Cluster) -> None:
    """OpenAPI describes the fields of the kind, for `kubectl explain` and for editors."""
    document = orjson.loads(await cluster.kube.raw("/openapi/v3/apis/serving.kserve.io/v1beta1"))
    schemas = document["components"]["schemas"]
    kind = next(one for key, one in schemas.items() if key.endswith("v1beta1.InferenceService"))
    predictor = kind["properties"]["spec"]["properties"]["predictor"]
    assert predictor["properties"]["canaryTrafficPercent"]["description"]
