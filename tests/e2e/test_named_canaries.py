"""Named canaries of the mode Standard on the real engine: shares, promotion, failures."""

from __future__ import annotations

from collections.abc import Callable

from perf.disagree import Disagreement
from rouse.kube.objects import Object
from rouse.kube.resources import DEPLOYMENTS, INFERENCE_SERVICES, PODS
from rouse.sdk import AsyncClient
from tests.e2e.support import isvc, until

STANDARD = {"serving.kserve.io/deploymentMode": "Standard"}


def standard(name: str, **spec: object) -> Object:
    """A service in the mode Standard whose replicas nobody scales."""
    made = isvc(name, minReplicas=1)
    made["metadata"]["annotations"] = {**STANDARD, "serving.kserve.io/autoscalerClass": "none"}
    made["spec"] |= spec
    return made


def canary(uri: str, percent: int) -> list[Object]:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": uri}
    return [{"trafficPercent": percent, "predictor": {"name": "v2", "model": model}}]


async def test_a_canary_gets_its_share_and_is_promoted_without_a_restart(
    client: AsyncClient,
    deploy: Callable[[Object], Object],
    name: str,
    told_apart: Disagreement,
) -> None:
    await client.apply(deploy(standard(name)))
    await client.wait_ready(name, timeout_s=60)
    await client.apply(standard(name, canary=canary("pvc://models/iris-v2", 50)))
    await until(client.kube, INFERENCE_SERVICES, lambda all_: _canary_ready(all_, name))
    seen = {str(await client.predict(name, [told_apart.row])) for _ in range(40)}
    assert len(seen) == 2, "both versions answer"

    pods = await client.kube.list(PODS, "default")
    before = {pod["metadata"]["uid"] for pod in pods.items if _of(pod, f"{name}-v2-")}
    promoted = standard(name)
    promoted["spec"]["predictor"] |= {
        "name": "v2",
        "model": canary("pvc://models/iris-v2", 0)[0]["predictor"]["model"],
    }
    await client.apply(promoted)
    await until(
        client.kube,
        DEPLOYMENTS,
        lambda all_: (
            [each["metadata"]["name"] for each in all_ if _of(each, f"{name}-")]
            == [f"{name}-v2-predictor"]
        ),
    )
    await client.wait_ready(name, timeout_s=60)
    pods = await client.kube.list(PODS, "default")
    after = {pod["metadata"]["uid"] for pod in pods.items if _of(pod, f"{name}-v2-")}
    assert after == before
    assert len({str(await client.predict(name, [told_apart.row])) for _ in range(10)}) == 1


async def test_a_model_that_cannot_be_loaded_is_told_with_its_exit_code(
    client: AsyncClient, deploy: Callable[[Object], Object], name: str
) -> None:
    broken = standard(name)
    broken["spec"]["predictor"]["model"]["storageUri"] = "pvc://models/nowhere"
    await client.apply(deploy(broken))
    listed = await until(
        client.kube, INFERENCE_SERVICES, lambda all_: any(_failed(each, name) for each in all_)
    )
    [found] = [each for each in listed if each["metadata"]["name"] == name]
    info = found["status"]["modelStatus"]["lastFailureInfo"]
    assert info["reason"] == "ModelLoadFailed"
    assert info["exitCode"] != 0
    assert info["message"]


def _of(obj: Object, prefix: str) -> bool:
    return str(obj["metadata"]["name"]).startswith(prefix)


def _canary_ready(all_: list[Object], name: str) -> bool:
    for each in all_:
        if each["metadata"]["name"] == name:
            listed = (each.get("status") or {}).get("canaryStatuses") or []
            return any(one["ready"] for one in listed)
    return False


def _failed(obj: Object, name: str) -> bool:
    model = (obj.get("status") or {}).get("modelStatus") or {}
    return obj["metadata"]["name"] == name and "exitCode" in (model.get("lastFailureInfo") or {})
