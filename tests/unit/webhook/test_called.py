"""`rouse webhook` end to end: a Kubernetes API calls it over TLS and does what it says."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson
import pytest

from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.transport import ApiServerTransport
from rouse.errors import ApiError
from rouse.kube import ClusterConfig, KubeClient
from rouse.kube.objects import Object
from rouse.kube.requests import ApiRequest
from rouse.kube.resources import CONFIG_MAPS, INFERENCE_SERVICES
from rouse.webhook.certificates.configurations import MUTATING, VALIDATING
from rouse.webhook.certificates.rotation import renewed
from rouse.webhook.run import Options, run
from tests.unit.webhook.cluster import isvc, manifest, pod


def by_url(configuration: Object, port: int, bundle: bytes) -> Object:
    """The installation's own configuration, for a webhook of this machine.

    Without matchConditions, which the embedded API does not evaluate: then it is asked about more.
    """
    webhooks = []
    for each in configuration["webhooks"]:
        left = {name: value for name, value in each.items() if name != "matchConditions"}
        path = each["clientConfig"]["service"]["path"]
        authorities = base64.b64encode(bundle).decode()
        there = {"url": f"https://localhost:{port}{path}", "caBundle": authorities}
        webhooks.append({**left, "clientConfig": there})
    return {**configuration, "webhooks": webhooks}


@pytest.fixture
async def user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[KubeClient]:
    """A user of an API that reviews nothing by itself, and calls `rouse webhook`."""
    made = renewed(None, ["localhost"], datetime.now(UTC), is_published=True)
    files = tmp_path / "tls.crt", tmp_path / "tls.key"
    files[0].write_bytes(made.serving.certificate)
    files[1].write_bytes(made.serving.key)
    async with memory_api(admission=()) as (server, http):
        transport = ApiServerTransport(server)
        another = httpx.AsyncClient(transport=transport, base_url="https://rouse.test")
        monkeypatch.setattr("rouse.webhook.run.connect", lambda _config: KubeClient(another))
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        options = Options(host="127.0.0.1", port=0, files=files, drain=0.0)
        process = asyncio.create_task(
            run(ClusterConfig("https://rouse.test"), options, ready=port.set_result)
        )
        async with asyncio.timeout(10):
            listening = await port
        for name, resource in (("validating", VALIDATING), ("mutating", MUTATING)):
            obj = by_url(manifest(name), listening, made.bundle)
            await http.post(resource.path(), content=orjson.dumps(obj))
        yield KubeClient(http, field_manager="user")
        # The API lets go of its connections first.
        await server.stop()
        process.cancel()
        await asyncio.gather(process, return_exceptions=True)


async def test_models_are_reviewed(user: KubeClient) -> None:
    await user.apply(isvc())
    live = await user.get(INFERENCE_SERVICES, "iris", "default")
    wrong = isvc(**live["spec"]["predictor"], minReplicas=3, maxReplicas=1)
    with pytest.raises(ApiError) as refused:
        await user.apply(wrong)
    assert refused.value.status == 422
    assert refused.value.message.startswith('admission webhook "validate.rouse.dev" denied')
    assert "spec.predictor.maxReplicas" in refused.value.message
    assert await user.get(INFERENCE_SERVICES, "iris", "default") == live


async def test_pods_are_completed(user: KubeClient) -> None:
    source = "internal.serving.kserve.io/storage-initializer-sourceuri"
    made = await _create_pod(user, pod({source: "s3://models/iris"}))
    assert [each["name"] for each in made["spec"]["initContainers"]] == ["storage-initializer"]
    plain = await _create_pod(user, pod())
    assert "initContainers" not in plain["spec"]


async def test_settings_that_cannot_be_used_are_refused(user: KubeClient) -> None:
    settings = await user.get(CONFIG_MAPS, "rouse-config", "rouse-system")
    with pytest.raises(ApiError, match=r"settings\.rouse\.dev"):
        await user.replace({**settings, "data": {"auth": "{default: perhaps}"}})


async def _create_pod(user: KubeClient, obj: Object) -> Object:
    path = "/api/v1/namespaces/default/pods"
    return await user.send(ApiRequest("POST", path, content=orjson.dumps(obj)))
