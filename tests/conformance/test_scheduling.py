"""Where pods go: fields of the pod, GPUs and node pools, asserted in what is compiled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from rouse.compiler.needs import FEATURES_CONFIG_MAP
from rouse.errors import NotFoundError
from rouse.kube.resources import CONFIG_MAPS
from tests.conformance.cluster import Cluster
from tests.conformance.settings import SHARED, changed

POOL = "conformance"
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
GPU = {"limits": {"nvidia.com/gpu": "1"}}
RUNTIME_CLASSES = "kubernetes.podspec-runtimeclassname"


async def pod_of(cluster: Cluster, name: str) -> dict[str, Any]:
    """The compiled pod spec, which need not find a node."""
    spec: dict[str, Any] = (await cluster.template(name))["spec"]
    return spec


async def test_fields_of_the_pod(cluster: Cluster, name: str) -> None:
    """nodeSelector, tolerations and affinity of the predictor are in the compiled pod."""
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
                ]
            }
        }
    }
    fields: dict[str, Any] = {
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [TOLERATION],
        "affinity": affinity,
    }
    await cluster.apply(cluster.isvc(name, **fields))
    pod = await pod_of(cluster, name)
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [TOLERATION]
    assert pod["affinity"] == affinity


async def test_gpu_variant(cluster: Cluster, name: str) -> None:
    """A model that asks for a GPU gets its runtime's variant for GPUs, and the status names it."""
    fields = {"modelFormat": {"name": "tensorflow", "version": "2"}}
    await cluster.apply(cluster.isvc(name, model_fields=fields))
    plain = (await pod_of(cluster, name))["containers"][0]["image"]
    await cluster.apply(cluster.isvc(name, model_fields={**fields, "resources": GPU}))

    async def changed() -> bool:
        return bool((await pod_of(cluster, name))["containers"][0]["image"] != plain)

    await cluster.eventually(changed)
    container = (await pod_of(cluster, name))["containers"][0]
    assert "gpu" in container["image"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"


async def test_resources(cluster: Cluster, name: str) -> None:
    """The model's resources win over the runtime's."""
    resources = {"requests": {"cpu": "50m", "memory": "200Mi"}, "limits": {"memory": "1Gi"}}
    await cluster.apply(cluster.isvc(name, model_fields={"resources": resources}))
    told = (await pod_of(cluster, name))["containers"][0]["resources"]
    assert told["requests"] == resources["requests"]
    assert told["limits"]["memory"] == "1Gi"


async def test_an_unknown_pool(cluster: Cluster, name: str) -> None:
    """A node pool that is not there is told in the status by its name."""
    await cluster.apply(cluster.isvc(name, annotations={"rouse.dev/node-pool": "no-such-pool"}))
    told = await cluster.told(name, "PredictorReady")
    assert told["reason"] == "InvalidPredictorSpec"
    assert "no-such-pool" in told["message"]


@pytest_asyncio.fixture(loop_scope="session")
async def pool(cluster: Cluster) -> AsyncIterator[str]:
    """A node pool in rouse-config, which is as it was afterwards."""
    made = {
        "nodeSelector": {"accelerator": "l4"},
        "tolerations": [TOLERATION],
        "runtimeClassName": "nvidia",
        "resources": ["nvidia.com/gpu"],
    }
    async with changed(cluster, "nodePools", lambda pools: pools | {POOL: made}):
        yield POOL


async def runtime_classes(cluster: Cluster) -> bool:
    """Whether Knative lets runtimeClassName through; the embedded engine has no such features."""
    namespace, name = FEATURES_CONFIG_MAP
    try:
        features = (await cluster.kube.get(CONFIG_MAPS, name, namespace)).get("data") or {}
    except NotFoundError:
        return True
    return str(features.get(RUNTIME_CLASSES, "")).lower() in ("enabled", "allowed")


@pytest.mark.changes_config(reason=SHARED)
async def test_a_pool(cluster: Cluster, name: str, pool: str) -> None:
    """A node pool puts its selector, tolerations and runtime class into the compiled pod."""
    if not await runtime_classes(cluster):
        pytest.skip(f"needs {RUNTIME_CLASSES} in Knative's config-features (component gpu)")
    annotations = {"rouse.dev/node-pool": pool}
    isvc = cluster.isvc(name, annotations=annotations, nodeSelector={"zone": "a"})
    isvc["spec"]["predictor"]["model"]["resources"] = GPU
    await cluster.apply(isvc)
    pod = await pod_of(cluster, name)
    assert pod["nodeSelector"] == {"accelerator": "l4", "zone": "a"}
    assert TOLERATION in pod["tolerations"]
    assert pod["runtimeClassName"] == "nvidia"


@pytest.mark.changes_config(reason=SHARED)
async def test_a_pool_without_that_gpu(cluster: Cluster, name: str, pool: str) -> None:
    """A pool that does not have the GPU a model asks for is told in the status."""
    isvc = cluster.isvc(name, annotations={"rouse.dev/node-pool": pool})
    isvc["spec"]["predictor"]["model"]["resources"] = {"limits": {"amd.com/gpu": "1"}}
    await cluster.apply(isvc)
    told = await cluster.told(name, "PredictorReady")
    assert "amd.com/gpu" in told["message"]
