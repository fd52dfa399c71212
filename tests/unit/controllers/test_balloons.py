"""Balloons: what the settings ask for is there, with the pool's places, and goes with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import yaml

from rouse.compiler.balloons import make_balloons
from rouse.compiler.config import Config
from rouse.controllers.inferenceservice import make_manager
from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.schema import schema_for_builtin
from rouse.errors import ConfigError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Object
from rouse.kube.resources import CONFIG_MAPS, DEPLOYMENTS

POOLS = """
a100:
  nodeSelector: {gpu: a100}
  tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
  runtimeClassName: nvidia
  resources: [nvidia.com/gpu, nvidia.com/mig-*]
  balloons:
    count: 2
    resources: {nvidia.com/mig-1g.10gb: 1, cpu: "4", memory: 16Gi}
cpu: {nodeSelector: {pool: cpu}}
"""


def configured(pools: str = POOLS) -> Config:
    return Config.from_config_map({"data": {"nodePools": pools}})


def test_a_balloon_goes_where_the_pools_pods_go_and_gives_way() -> None:
    (made,) = make_balloons(configured())
    assert schema_for_builtin("apps", "Deployment").validate(made) == []
    assert made["metadata"]["name"] == "rouse-balloons-a100"
    assert made["spec"]["replicas"] == 2
    pod = made["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == "rouse-balloon"
    assert pod["terminationGracePeriodSeconds"] == 0
    assert pod["nodeSelector"] == {"gpu": "a100"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert pod["runtimeClassName"] == "nvidia"
    assert pod["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"
    limits = {"nvidia.com/mig-1g.10gb": "1", "cpu": "4", "memory": "16Gi"}
    assert pod["containers"][0]["resources"] == {"requests": limits, "limits": limits}


@pytest.mark.parametrize(
    ("balloons", "message"),
    [
        ({"count": -1}, "count: must be 0 or more, not -1"),
        ({"forecast": -1}, "forecast: must be 0 or more, not -1"),
        ({"forecast": 1}, "resources: must say what a balloon holds"),
        ({"count": 1}, "resources: must say what a balloon holds"),
        (
            {"count": 1, "resources": {"amd.com/gpu": "1"}},
            "resources.amd.com/gpu: the pool does not have it; it has: nvidia.com/gpu",
        ),
    ],
)
def test_balloons_that_could_hold_nothing_are_refused(balloons: Object, message: str) -> None:
    pool = {"resources": ["nvidia.com/gpu"], "balloons": balloons}
    with pytest.raises(ConfigError, match=f"nodePools.p.balloons.{message}"):
        configured(yaml.safe_dump({"p": pool}))


def test_balloons_by_forecast_are_added_up_to_a_number() -> None:
    pools = yaml.safe_load(POOLS)
    pools["a100"]["balloons"] |= {"count": 1, "forecast": 2}
    config = configured(yaml.safe_dump(pools))
    counts = []
    for expected in (0, 1, 5):
        (made,) = make_balloons(config, {"a100": expected}.__getitem__)
        counts.append(made["spec"]["replicas"])
    assert counts == [1, 2, 3]


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)  # the API in memory answers without giving way


async def test_they_follow_the_settings_and_are_repaired() -> None:
    told: dict[str, tuple[int, int]] = {}

    def note(pool: str, wanted: int, ready: int) -> None:
        told[pool] = (wanted, ready)

    async with memory_api() as (_, http):
        user = KubeClient(http, field_manager="user")

        async def settings(pools: str) -> None:
            metadata = {"name": "rouse-config", "namespace": "rouse-system"}
            data = {"nodePools": pools}
            await user.apply(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
            )

        await settings(POOLS)
        async with make_manager(KubeClient(http), told_balloons=note):
            await until(lambda: told.get("a100") == (2, 0))
            live = await user.get(DEPLOYMENTS, "rouse-balloons-a100", "rouse-system")
            # Somebody scales them by hand: the settings win.
            await user.replace({**live, "spec": {**live["spec"], "replicas": 5}})
            await until(lambda: told.get("a100") == (2, 0))
            async with asyncio.timeout(5):
                while live["spec"]["replicas"] != 2 or live["metadata"]["generation"] < 3:
                    await asyncio.sleep(0.01)
                    live = await user.get(DEPLOYMENTS, "rouse-balloons-a100", "rouse-system")
            await user.replace(
                {**live, "status": {"readyReplicas": 1, "replicas": 2}}, subresource="status"
            )
            await until(lambda: told["a100"] == (2, 1))
            await settings("cpu: {nodeSelector: {pool: cpu}}")
            await until(lambda: told["a100"] == (0, 0))
            listed = await user.list(DEPLOYMENTS, "rouse-system")
            assert [one["metadata"]["name"] for one in listed.items] == []
        assert (await user.get(CONFIG_MAPS, "rouse-config", "rouse-system"))["data"]
