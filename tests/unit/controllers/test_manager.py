"""What the controller process runs."""

from __future__ import annotations

from rouse.controllers.inferenceservice import make_manager
from rouse.embedded.apiserver.memory import memory_api
from rouse.kube import KubeClient


async def test_every_controller_is_started() -> None:
    async with memory_api() as (_, http):
        manager = make_manager(KubeClient(http))
        assert {each.name for each in manager.controllers} == {
            "balloons",
            "coldstart",
            "inferencegraph",
            "inferenceservice",
            "keepalive",
            "localmodelcache",
            "localmodellabel",
            "localmodelnode",
            "localmodelnodegroup",
            "pre-pull",
            "residency",
            "standby",
            "standby-handover",
        }
