"""Which image a controller runs, as its pod tells it."""

from __future__ import annotations

from rouse.controllers.own_image import own_image
from rouse.embedded.apiserver.memory import memory_api
from rouse.kube import KubeClient
from rouse.kube.objects import Key

POD = Key("rouse-system", "rouse-controller-1")
IMAGE = "registry.example.com/rouse/controller:v1"


async def test_it_is_that_of_the_pod_and_not_of_what_a_mesh_put_beside_it() -> None:
    mesh = {"name": "istio-proxy", "image": "mesh"}
    containers = [mesh, {"name": "controller", "image": IMAGE}]
    async with memory_api() as (_, http):
        client = KubeClient(http, field_manager="user")
        await client.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": POD.name, "namespace": POD.namespace},
                "spec": {"containers": containers},
            }
        )
        assert await own_image(client, POD) == IMAGE
        assert await own_image(client, None) == ""


async def test_a_pod_that_is_not_there_tells_nothing() -> None:
    async with memory_api() as (_, http):
        assert await own_image(KubeClient(http), POD) == ""
