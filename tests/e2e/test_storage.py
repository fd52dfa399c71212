"""Servers that do not fetch for themselves find their model in /mnt/models."""

from __future__ import annotations

import json
import shutil
import tarfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from perf.harness import Engine
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES, PODS
from rouse.sdk import AsyncClient
from rouse.sdk.conditions import find_condition
from tests.e2e.support import ROW, isvc, until

Deploy = Callable[[Object], Object]

SERVER = """
import functools, http.server, sys
folder, port = (word.split("=")[1] for word in sys.argv[1:])
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler).serve_forever()
"""
"""Answers with the files of a folder: a foreign server, as small as one can be."""


class Site(SimpleHTTPRequestHandler):
    """Files of a folder; those below /guarded only for who has the token."""

    def do_GET(self) -> None:
        if self.path.startswith("/guarded/") and self.headers.get("x-token") != "open":
            self.send_error(401)
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server that has a model as an archive."""
    folder = tmp_path / "site"
    (folder / "model/1").mkdir(parents=True)
    (folder / "model/1/weights.txt").write_text("42")
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(folder / "model", arcname=".")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def runtime(client: AsyncClient, tmp_path: Path) -> AsyncIterator[str]:
    """A ServingRuntime of a foreign server; its model format."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    made = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": "files", "namespace": "default"},
        "spec": {
            "annotations": {"embedded.rouse.dev/command": json.dumps(["{python}", str(script)])},
            "supportedModelFormats": [{"name": "files", "autoSelect": True}],
            "containers": [
                {
                    "name": "kserve-container",
                    "image": "example.com/files:v1",
                    "args": ["--folder=/mnt/models", "--port=8080"],
                }
            ],
        },
    }
    await client.apply(made)
    yield "files"
    await client.delete(made)


async def answer(engine: Engine, name: str, path: str) -> str:
    """What the service answers through the gateway."""
    async with httpx.AsyncClient(base_url=engine.gateway, timeout=30) as http:
        got = await http.get(path, headers={"host": f"{name}.default.localhost"})
    assert got.status_code == 200, got.text
    return got.text


async def pods_of(client: AsyncClient, name: str) -> list[Object]:
    labels = f"serving.kserve.io/inferenceservice={name}"
    return list((await client.kube.list(PODS, "default", labels=labels)).items)


async def test_the_init_container_brings_the_model(
    engine: Engine, client: AsyncClient, name: str, deploy: Deploy, runtime: str, site: str
) -> None:
    uri = f"{site}/model.tar.gz"
    await client.apply(deploy(isvc(name, uri=uri, model_format=runtime)))
    await client.wait_ready(name, timeout_s=90)
    assert await answer(engine, name, "/1/weights.txt") == "42"
    [pod] = await pods_of(client, name)
    [container] = pod["spec"]["initContainers"]
    assert container["name"] == "storage-initializer"
    assert container["args"] == [uri, "/mnt/models"]
    [status] = pod["status"]["initContainerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == 0


async def test_a_claim_is_mounted_and_nothing_is_fetched(
    engine: Engine, client: AsyncClient, name: str, deploy: Deploy, runtime: str
) -> None:
    folder = engine.home.volumes / "default" / "models" / name
    folder.mkdir()
    (folder / "weights.txt").write_text("43")
    await client.apply(deploy(isvc(name, uri=f"pvc://models/{name}", model_format=runtime)))
    await client.wait_ready(name, timeout_s=90)
    assert await answer(engine, name, "/weights.txt") == "43"
    [pod] = await pods_of(client, name)
    assert "initContainers" not in pod["spec"]


async def test_several_models_are_brought_to_their_folders(
    engine: Engine, client: AsyncClient, name: str, deploy: Deploy, runtime: str, site: str
) -> None:
    service = isvc(name, model_format=runtime)
    predictor = service["spec"]["predictor"]
    del predictor["model"]["storageUri"]
    predictor["storageUris"] = [
        {"uri": f"{site}/model.tar.gz"},
        {"uri": f"{site}/model/1/weights.txt", "mountPath": "/mnt/models/adapter"},
    ]
    await client.apply(deploy(service))
    await client.wait_ready(name, timeout_s=90)
    assert await answer(engine, name, "/1/weights.txt") == "42"
    assert await answer(engine, name, "/adapter/weights.txt") == "42"


async def test_a_predictor_fetches_with_the_headers_of_a_secret(
    engine: Engine, client: AsyncClient, name: str, deploy: Deploy, site: str, tmp_path: Path
) -> None:
    (tmp_path / "site/guarded").mkdir()
    model = engine.home.volumes / "default/models/iris/model.joblib"
    shutil.copy(model, tmp_path / "site/guarded")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{name}-site", "namespace": "default"},
        "stringData": {"https-host": "127.0.0.1", "headers": '{"x-token": "open"}'},
    }
    service = isvc(name, uri=f"{site}/guarded/model.joblib")
    service["metadata"]["annotations"] = {"serving.kserve.io/storageSecretName": f"{name}-site"}
    for each in (secret, service):
        await client.apply(deploy(each))
    await client.wait_ready(name, timeout_s=90)
    assert await client.predict(name, ROW) == {"predictions": [0]}
    [pod] = await pods_of(client, name)
    assert "initContainers" not in pod["spec"]
    assert "open" not in str(pod["spec"])


async def test_a_model_that_is_not_there_is_told(
    client: AsyncClient, name: str, deploy: Deploy, runtime: str, site: str
) -> None:
    await client.apply(deploy(isvc(name, uri=f"{site}/nothing.tar.gz", model_format=runtime)))

    def told(items: list[Object]) -> bool:
        [service] = [each for each in items if each["metadata"]["name"] == name]
        ready = find_condition(service, "Ready") or {}
        return "nothing.tar.gz: answered 404" in (ready.get("message") or "")

    await until(client.kube, INFERENCE_SERVICES, told)
