"""Credentials of pods: what is asked of the API, and what is not."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from rouse.api.base import Object
from rouse.embedded.apiserver.jsonpatch import json_patch
from rouse.errors import ApiError, RejectedError, UnavailableError
from rouse.kube import KubeClient
from rouse.kube.client import ApiCall
from rouse.webhook.facts import FactFinder
from rouse.webhook.handlers import Handlers
from rouse.webhook.metrics import Metrics
from rouse.webhook.sources import Sources
from tests.unit.webhook.cluster import installed, isvc, pod, review

SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"

SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "keys", "namespace": "default"},
    "stringData": {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
}
ACCOUNT: Object = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "reader", "namespace": "default"},
    "secrets": [{"name": "keys"}, {"name": "absent"}],
}


class Running:
    """Handlers on a cluster, and what they asked of its API."""

    def __init__(self, user: KubeClient) -> None:
        self.user = user
        self.calls: list[ApiCall] = []
        self.now = 0.0
        client = user.sharing(observe=self.calls.append)
        self.sources = Sources(client)
        self.finder = FactFinder(client, clock=lambda: self.now)
        self.metrics = Metrics(expires=lambda: None, clock=lambda: pytest.fail("no clock"))
        self.handlers = Handlers(self.sources, self.finder, self.metrics)

    async def ask(self, path: str, body: Object) -> Any:
        self.calls.clear()
        reply = await self.handlers.handle(path, orjson.dumps(body))
        assert reply.status == 200, reply.body
        return orjson.loads(reply.body)["response"]

    async def complete(self, plain: Object, namespace: str = "default") -> Object:
        """The pod as the API server would store it."""
        response = await self.ask(
            "/mutate-pods", review(plain, resource="pods", namespace=namespace)
        )
        assert response["allowed"], response
        patched: Object = json_patch(plain, orjson.loads(base64.b64decode(response["patch"])))
        return patched


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with installed() as (user, _):
        made = Running(user)
        await made.sources.start()
        await made.sources.synced()
        yield made
        await made.sources.stop()


def variables(of: Object) -> set[str]:
    return {each["name"] for each in of["spec"]["initContainers"][0].get("env", ())}


async def test_a_service_is_reviewed_without_a_request(running: Running) -> None:
    response = await running.ask("/validate", review(isvc()))
    assert response == {"uid": review(isvc())["request"]["uid"], "allowed": True}
    assert running.calls == []


async def test_the_account_leads_to_its_secrets(running: Running) -> None:
    await running.user.create(SECRET)
    await running.user.create(ACCOUNT)
    asked = pod({SOURCE: "s3://models/iris"}, serviceAccountName="reader")
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= variables(
        await running.complete(asked)
    )
    assert [call.verb for call in running.calls] == ["get"] * 3
    await running.complete(asked)
    assert len(running.calls) == 1, "what is there is kept for a moment, what is not asked again"
    running.now += 10
    await running.complete(asked)
    assert len(running.calls) == 3


async def test_a_secret_of_a_moment_ago_counts(running: Running) -> None:
    asked = pod({SOURCE: "s3://models/iris"}, serviceAccountName="reader")
    assert variables(await running.complete(asked)) == set()
    await running.user.create(SECRET)
    await running.user.create(ACCOUNT)
    assert "AWS_ACCESS_KEY_ID" in variables(await running.complete(asked))


async def test_a_pod_that_asks_for_nothing_costs_nothing(running: Running) -> None:
    response = await running.ask("/mutate-pods", review(pod(), resource="pods"))
    assert response["allowed"]
    assert running.calls == []


async def test_names_that_none_can_have_are_not_asked_for(running: Running) -> None:
    asked = pod({SOURCE: "s3://models/iris"}, serviceAccountName="x/../" + "y" * 70_000)
    assert variables(await running.complete(asked)) == set()
    assert variables(await running.complete(asked, namespace="")) == set()
    assert running.calls == []


async def test_what_may_not_be_read_gives_nothing_with_a_warning(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> Object:
        raise RejectedError("forbidden", status=403, reason="Forbidden")

    monkeypatch.setattr(KubeClient, "get", refuse)
    response = await running.ask(
        "/mutate-pods",
        review(pod({SOURCE: "s3://m/x"}), resource="pods", namespace="default"),
    )
    assert response["allowed"]
    assert 'ServiceAccount "default" may not be read' in response["warnings"][0]


@pytest.mark.parametrize("error", [UnavailableError("down"), ApiError("no", status=500)])
async def test_an_api_that_does_not_answer_is_said(
    running: Running, monkeypatch: pytest.MonkeyPatch, error: ApiError
) -> None:
    async def fail(*_: Any) -> Object:
        raise error

    monkeypatch.setattr(KubeClient, "get", fail)
    response = await running.ask(
        "/mutate-pods",
        review(pod({SOURCE: "s3://m/x"}), resource="pods", namespace="default"),
    )
    assert response["allowed"] is False
    assert response["status"]["code"] == 503
    assert "try again" in response["status"]["message"]


async def test_an_account_with_very_many_secrets_is_refused(running: Running) -> None:
    many = {**ACCOUNT, "secrets": [{"name": f"s{n}"} for n in range(100)]}
    await running.user.create(many)
    asked = pod({SOURCE: "s3://m/x"}, serviceAccountName="reader")
    response = await running.ask("/mutate-pods", review(asked, resource="pods"))
    assert response["status"]["code"] == 503
    assert "more than 64" in response["status"]["message"]


async def test_settings_are_followed(running: Running) -> None:
    image = "example.com/initializer:1"
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "rouse-config", "namespace": "rouse-system"},
        "data": {"storageInitializer": orjson.dumps({"image": image}).decode()},
    }
    await running.user.apply(settings)
    async with asyncio.timeout(10):
        while image not in str(running.sources.config):
            await asyncio.sleep(0.01)
    completed = await running.complete(pod({SOURCE: "s3://models/iris"}))
    assert completed["spec"]["initContainers"][0]["image"] == image


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/validate", b"no json", 400),
        ("/mutate-pods", b"{}", 400),
        ("/other", b"{}", 404),
    ],
)
async def test_what_is_no_review_gets_an_http_error(
    running: Running, path: str, body: bytes, status: int
) -> None:
    reply = await running.handlers.handle(path, body)
    assert reply.status == status
    assert f'rouse_webhook_http_errors_total{{code="{status}"}} 1' in running.metrics.render()


async def test_reviews_are_counted(running: Running) -> None:
    await running.ask("/validate", review(isvc()))
    await running.ask("/validate", review(isvc(nonsense=1)))
    await running.ask("/validate", review(isvc(), operation="invented"))
    text = running.metrics.render()
    counted = "rouse_webhook_requests_total{webhook="
    assert f'{counted}"validate",operation="CREATE",allowed="true"}} 1' in text
    assert f'{counted}"validate",operation="CREATE",allowed="false"}} 1' in text
    assert f'{counted}"validate",operation="other",allowed="true"}} 1' in text
    assert 'rouse_webhook_request_seconds_count{webhook="validate"} 3' in text


async def test_a_large_object_is_reviewed_beside_the_loop(running: Running) -> None:
    big = isvc()
    big["metadata"]["annotations"] = {"note": "x" * 200_000}
    assert (await running.ask("/validate", review(big)))["allowed"]


async def test_a_fault_of_ours_is_an_http_error(
    running: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rouse.webhook.handlers.review_validate", lambda *_, **__: 1 / 0)
    reply = await running.handlers.handle("/validate", orjson.dumps(review(isvc())))
    assert reply.status == 500
    assert "ZeroDivisionError" in caplog.text
