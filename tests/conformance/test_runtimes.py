"""Which runtime serves a model: by its format, its name, its namespace and its priority."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from rouse.kube.objects import Object
from rouse.kube.resources import CLUSTER_SERVING_RUNTIMES, SERVING_RUNTIMES, resource_of
from tests.conformance.cluster import Cluster
from tests.conformance.helpers import COUNTING, container


@pytest_asyncio.fixture(loop_scope="session")
async def runtimes(cluster: Cluster) -> AsyncIterator[Callable[..., Any]]:
    """Makes ServingRuntimes of this namespace that are deleted when the test ends."""
    made: list[Object] = []

    async def make(name: str, format_name: str, **spec: Any) -> Object:
        priority = spec.pop("priority", None)
        supported = {"name": format_name, "version": "1", "autoSelect": True}
        supported |= {} if priority is None else {"priority": priority}
        runtime = {
            "apiVersion": "serving.kserve.io/v1alpha1",
            "kind": "ServingRuntime",
            "metadata": {"name": name, "namespace": cluster.namespace},
            "spec": {
                "supportedModelFormats": [supported],
                "protocolVersions": ["v1"],
                "containers": [container(COUNTING, cluster.options.helper_image, RUNTIME=name)],
                **spec,
            },
        }
        made.append(await cluster.apply(runtime))
        return made[-1]

    yield make
    for runtime in made:
        await cluster.delete(resource_of(runtime), runtime["metadata"]["name"])


async def chosen(cluster: Cluster, name: str) -> str:
    """The runtime whose container the compiled template has."""
    main = (await cluster.template(name))["spec"]["containers"][0]
    return next(
        (one["value"] for one in main.get("env") or () if one["name"] == "RUNTIME"),
        str(main["image"]),
    )


def of_format(cluster: Cluster, name: str, format_name: str, **fields: Any) -> Object:
    return cluster.isvc(name, model_fields={"modelFormat": {"name": format_name}, **fields})


async def test_by_format(cluster: Cluster, iris: Object) -> None:
    """A model that names no runtime gets the cluster's for its format, and the status names it."""
    told = iris["status"]["clusterServingRuntimeName"]
    assert await cluster.kube.get(CLUSTER_SERVING_RUNTIMES, told)
    assert "sklearnserver" in await chosen(cluster, "iris")


async def test_by_kserves_name(cluster: Cluster, name: str) -> None:
    """KServe's name of a runtime finds the equivalent one."""
    fields = {"runtime": "kserve-sklearnserver"}
    await cluster.apply(cluster.isvc(name, model_fields=fields))
    assert "sklearnserver" in await chosen(cluster, name)


async def test_namespace_before_cluster(cluster: Cluster, name: str, runtimes: Any) -> None:
    """A runtime of the namespace comes before the cluster's, and serves."""
    await runtimes(f"{name}-own", "xgboost")
    live = await cluster.deploy(of_format(cluster, name, "xgboost"))
    assert live["status"]["servingRuntimeName"] == f"{name}-own"
    assert await chosen(cluster, name) == f"{name}-own"
    answer = await cluster.ask(live, "POST", "/", json={})
    assert answer.json()["most"] >= 1


async def test_priority(cluster: Cluster, name: str, runtimes: Any) -> None:
    """Of several runtimes the one with the highest priority is taken; one without comes last."""
    await runtimes(f"{name}-a", name)
    await runtimes(f"{name}-b", name, priority=1)
    await runtimes(f"{name}-c", name, priority=2)
    await cluster.apply(of_format(cluster, name, name))
    assert await chosen(cluster, name) == f"{name}-c"


async def test_by_name(cluster: Cluster, name: str, runtimes: Any) -> None:
    """A runtime that is named is taken, whatever the priorities."""
    await runtimes(f"{name}-a", name)
    await runtimes(f"{name}-b", name, priority=1)
    await cluster.apply(of_format(cluster, name, name, runtime=f"{name}-a"))
    assert await chosen(cluster, name) == f"{name}-a"


async def test_disabled(cluster: Cluster, name: str, runtimes: Any) -> None:
    """A disabled runtime is not taken by itself, and the status says so where it is named."""
    await runtimes(f"{name}-off", name, disabled=True, priority=9)
    await runtimes(f"{name}-on", name)
    await cluster.apply(of_format(cluster, name, name))
    assert await chosen(cluster, name) == f"{name}-on"
    await cluster.apply(of_format(cluster, name, name, runtime=f"{name}-off"))
    told = await cluster.told(name, "PredictorReady")
    assert told["reason"] == "RuntimeDisabled"
    assert f"{name}-off" in told["message"]


async def test_version(cluster: Cluster, name: str, runtimes: Any) -> None:
    """A format's version has to be the same; where none fits the status says what there is."""
    await runtimes(f"{name}-one", name)
    wanted = {"modelFormat": {"name": name, "version": "2"}}
    await cluster.apply(cluster.isvc(name, model_fields=wanted))
    told = await cluster.told(name, "PredictorReady")
    assert told["reason"] == "NoSupportingRuntime"


async def test_protocol(cluster: Cluster, name: str, runtimes: Any) -> None:
    """A runtime that does not speak the protocol is not taken."""
    await runtimes(f"{name}-one", name, priority=9)
    await runtimes(f"{name}-two", name, protocolVersions=["v2"])
    await cluster.apply(of_format(cluster, name, name, protocolVersion="v2"))
    assert await chosen(cluster, name) == f"{name}-two"


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({"modelFormat": {"name": "cobol"}}, "NoSupportingRuntime", ["cobol", "sklearn"]),
        ({"runtime": "no-such-runtime"}, "RuntimeNotRecognized", ["no-such-runtime"]),
    ],
    ids=["format", "name"],
)
async def test_unsupported(
    cluster: Cluster, name: str, fields: dict[str, Any], reason: str, words: list[str]
) -> None:
    """A format nobody serves and a runtime nobody has are told in status, with what there is."""
    await cluster.apply(cluster.isvc(name, model_fields=fields))
    told = await cluster.told(name, "PredictorReady")
    assert told["reason"] == reason
    for word in words:
        assert word in told["message"]


async def test_a_runtime_that_comes_later(cluster: Cluster, name: str, runtimes: Any) -> None:
    """A service that waits for a runtime takes it up when it is applied."""
    await cluster.apply(of_format(cluster, name, name))
    await cluster.told(name, "PredictorReady")
    await runtimes(f"{name}-late", name)
    live = await cluster.ready(name)
    assert live["status"]["servingRuntimeName"] == f"{name}-late"


async def test_placeholders(cluster: Cluster, name: str, runtimes: Any) -> None:
    """Placeholders in a runtime's arguments are filled from the InferenceService."""
    server = container(COUNTING, cluster.options.helper_image)
    server["args"] = ["--name={{.Name}}", "--team={{.Labels.team}}"]
    await runtimes(f"{name}-own", name, containers=[server])
    fields = {"modelFormat": {"name": name}}
    await cluster.apply(cluster.isvc(name, labels={"team": "flowers"}, model_fields=fields))
    args = (await cluster.template(name))["spec"]["containers"][0]["args"]
    assert args[:2] == [f"--name={name}", "--team=flowers"]


async def test_runtimes_of_other_namespaces(cluster: Cluster, name: str, runtimes: Any) -> None:
    """A ServingRuntime is seen in its own namespace only."""
    await runtimes(f"{name}-own", name)
    found = (await cluster.kube.list(SERVING_RUNTIMES, "default")).items
    assert f"{name}-own" not in [one["metadata"]["name"] for one in found]
