"""On one machine too the planner says what the node keeps, and the agent fetches it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from perf.harness import Engine
from rouse.api.localmodelnode.names import demand_name, model_key
from rouse.controllers.localmodel.sources import GROUPS, LOCAL_NODES
from rouse.kube.objects import Object
from rouse.sdk import AsyncClient
from tests.e2e.support import isvc, until

GROUP = "machine"


class Site(SimpleHTTPRequestHandler):
    """The example's models."""

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def site(engine: Engine) -> Iterator[str]:
    folder = engine.home.volumes / "default" / "models"
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def group(client: AsyncClient) -> AsyncIterator[str]:
    room = {"accessModes": ["ReadOnlyMany"], "local": {"path": "/models"}}
    claim = {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "1Gi"}}}
    await client.kube.apply(
        {
            "apiVersion": GROUPS.api_version,
            "kind": GROUPS.kind,
            "metadata": {"name": GROUP},
            "spec": {
                "storageLimit": "1Gi",
                "persistentVolumeSpec": {**room, "capacity": {"storage": "1Gi"}},
                "persistentVolumeClaimSpec": claim,
            },
        }
    )
    yield GROUP
    await client.kube.delete(GROUPS, GROUP)


async def test_the_machine_keeps_the_model_of_a_service(
    engine: Engine,
    client: AsyncClient,
    deploy: Callable[[Object], Object],
    name: str,
    site: str,
    group: str,
) -> None:
    (file,) = sorted((engine.home.volumes / "default" / "models").rglob("*.joblib"))[:1]
    uri = f"{site}/{file.relative_to(engine.home.volumes / 'default' / 'models')}"
    wanted = isvc(name, uri=uri)
    wanted["metadata"]["annotations"] = {
        "rouse.dev/model-cache": "demand",
        "serving.kserve.io/nodegroup": group,
    }
    await client.apply(deploy(wanted))
    key = model_key({"modelName": demand_name(uri), "namespace": "default"})
    size = file.stat().st_size

    def kept(nodes: list[Object]) -> bool:
        told = [node.get("status") or {} for node in nodes]
        return any(
            status.get("modelStatus", {}).get(key) == "ModelDownloaded"
            and status.get("modelBytes", {}).get(key) == size
            for status in told
        )

    await until(client.kube, LOCAL_NODES, kept)
    await client.delete(wanted)
    await until(
        client.kube,
        LOCAL_NODES,
        lambda nodes: not any(node["spec"]["localModels"] for node in nodes),
    )
