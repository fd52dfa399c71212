"""Settings that cannot be used: what still works, what is refused, and who is told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from rouse.api.base import Object
from rouse.compiler.config.in_force import InForce
from rouse.compiler.podwebhook.mutate import ASKING
from rouse.kube import KubeClient
from rouse.kube.resources import CONFIG_MAPS
from rouse.webhook.envelope import Verdict, read_review
from rouse.webhook.facts import FactFinder
from rouse.webhook.handlers import Handlers
from rouse.webhook.metrics import Metrics
from rouse.webhook.review import review_pod, review_settings
from rouse.webhook.sources import Sources
from tests.unit.webhook.cluster import installed, isvc, manifest, pod, review

SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"
LOGGER = "internal.serving.kserve.io/logger"
NAMESPACE = "rouse-system"
SLIP = {"ingressDomain": "models.example"}
TOLD = "ConfigMap rouse-config: ingressDomain: unknown key"


def settings(name: str = "rouse-config", namespace: str = NAMESPACE, **data: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class Webhook:
    """The handlers of one process, which reads the settings of a cluster."""

    def __init__(self, client: KubeClient) -> None:
        self.user = client
        self.sources = Sources(client)
        self._seen = asyncio.Event()
        self.sources._own.add_handler(lambda _event, _obj: self._seen.set())
        self.metrics = Metrics(
            expires=lambda: None,
            clock=lambda: pytest.fail("no clock"),
            problem=lambda: self.sources.problem,
        )
        self.handlers = Handlers(self.sources, FactFinder(client), self.metrics)

    async def start(self) -> None:
        await self.sources.start()
        await self.sources.synced()

    async def write(self, **data: str) -> None:
        """Put ``data`` into rouse-config past all checks."""
        live = await self.user.get(CONFIG_MAPS, "rouse-config", NAMESPACE)
        self._seen.clear()
        written = await self.user.replace({**live, "data": data})
        async with asyncio.timeout(10):
            while self.sources._own.list() not in ([], [without_managers(written)]):
                await self._seen.wait()
                self._seen.clear()

    async def ask(self, path: str, body: Object) -> Any:
        reply = await self.handlers.handle(path, orjson.dumps(body))
        assert reply.status == 200, reply.body
        return orjson.loads(reply.body)["response"]

    async def complete(self, *, uri: str = "s3://m/x") -> Any:
        return await self.ask("/mutate-pods", review(pod({SOURCE: uri}), resource="pods"))


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    async with installed() as (user, _):
        made = Webhook(user)
        yield made
        await made.sources.stop()


def without_managers(obj: Object) -> Object:
    metadata = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
    return {**obj, "metadata": metadata}


async def test_the_last_good_settings_complete_pods(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    image = "registry.example/initializer:1"
    await webhook.write(storageInitializer=f"{{image: {image}}}", defaultDeploymentMode="Standard")
    await webhook.start()
    assert "rouse_webhook_settings_usable 1" in webhook.metrics.render()
    await webhook.write(storageInitializer="{imge: y}", **SLIP)
    assert "ingressDomain: unknown key" in caplog.text
    assert "rouse_webhook_settings_usable 0" in webhook.metrics.render()
    assert webhook.sources.config.storage_initializer.image == image
    assert webhook.sources.default_mode == "Standard"
    assert (await webhook.complete())["allowed"]
    assert (await webhook.ask("/validate", review(isvc())))["allowed"]
    assert (await webhook.ask("/mutate", review(isvc())))["allowed"]
    await webhook.write(storageInitializer="{image: z}")
    assert webhook.sources.config.storage_initializer.image == "z"
    assert "rouse_webhook_settings_usable 1" in webhook.metrics.render()


async def test_a_process_that_starts_with_a_slip_completes_pods(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    await webhook.write(storageInitializer="{image: mine}", **SLIP)
    await webhook.start()
    assert TOLD in caplog.text
    assert "its other keys count" in caplog.text
    assert "rouse_webhook_settings_usable 0" in webhook.metrics.render()
    assert (await webhook.complete())["allowed"]
    assert webhook.sources.config.storage_initializer.image == "mine"
    assert (await webhook.ask("/validate", review(isvc())))["allowed"]


async def test_only_pods_that_need_a_lost_setting_wait(webhook: Webhook) -> None:
    await webhook.write(storageInitializer="{imge: mine}", defaultDeploymentMode="Stanard")
    await webhook.start()
    response = await webhook.complete()
    assert response["status"]["code"] == 503
    assert "setting storageInitializer is not known" in response["status"]["message"]
    assert "agent" not in response["status"]["message"].partition(":")[0]
    plain = await webhook.ask("/mutate-pods", review(pod({}), resource="pods"))
    assert plain["allowed"]
    assert webhook.sources.default_mode == "Knative"
    assert (await webhook.ask("/validate", review(isvc())))["allowed"]


def test_a_pod_that_logs_does_not_need_the_initializer() -> None:
    it = InForce()
    it.take({"data": {"storageInitializer": "{imge: mine}"}}, None)
    logging = pod({LOGGER: "all", f"{LOGGER}-sink-url": "http://sink"})
    request = read_review(orjson.dumps(review(logging, resource="pods")))
    verdict = review_pod(request, config=it.config)
    assert verdict.allowed
    assert verdict.patch


def test_a_slip_in_the_cache_costs_the_cache_and_no_pod() -> None:
    it = InForce()
    it.take({"data": {"modelCache": "{hostpath: /cache}"}}, None)
    cached = pod({SOURCE: "s3://m/x", "internal.rouse.dev/model-cache": "s3://m/x"})
    request = read_review(orjson.dumps(review(cached, resource="pods")))
    verdict = review_pod(request, config=it.config)
    assert verdict.allowed
    assert "storage-initializer" in str(verdict.patch)


def test_exactly_the_pods_that_ask_for_a_change_are_sent() -> None:
    (hook,) = (each for each in manifest("mutating")["webhooks"] if each["name"].startswith("pods"))
    (condition,) = hook["matchConditions"]
    sent = re.findall(r"'([^']+)'", condition["expression"])
    assert sent == sorted(ASKING)
    assert condition["expression"].startswith("has(object.metadata.annotations) && ")


def asked(obj: Object, **request: Any) -> Verdict:
    body = review(obj, resource="configmaps", **request)
    return review_settings(read_review(orjson.dumps(body)))


def test_a_slip_is_refused_when_it_is_written() -> None:
    verdict = asked(settings(**SLIP))
    assert not verdict.allowed
    assert verdict.status is not None
    assert (verdict.status["code"], verdict.status["reason"]) == (422, "Invalid")
    assert verdict.status["message"].startswith(TOLD)
    (cause,) = verdict.status["details"]["causes"]
    assert cause["field"] == "data.ingressDomain"


@pytest.mark.parametrize(
    "obj",
    [
        settings(domain="models.example"),
        settings(namespace="default", **SLIP),
        settings(name="other", **SLIP),
        settings(namespace="kserve", **SLIP),
    ],
)
def test_what_is_right_or_not_read_may_be_written(obj: Object) -> None:
    assert asked(obj) == Verdict()


def test_kserves_settings_are_checked_where_they_are_read() -> None:
    bad = settings("inferenceservice-config", "kserve", ingress="{")
    assert "ingress: is not valid YAML or JSON" in str(asked(bad).status)


def test_settings_can_be_repaired_bit_by_bit_and_deleted() -> None:
    before = settings(urlScheme="ftp", **SLIP)
    verdict = asked(settings(**SLIP), old=before, operation="UPDATE")
    assert verdict.allowed
    assert verdict.warnings[0].startswith(TOLD)
    assert asked(settings(domain="x"), old=before, operation="UPDATE") == Verdict()
    assert asked(before, operation="DELETE") == Verdict()


async def test_the_path_answers(webhook: Webhook) -> None:
    await webhook.start()
    body = review(settings(**SLIP), resource="configmaps")
    assert not (await webhook.ask("/validate-settings", body))["allowed"]
    counted = 'webhook="validate-settings",operation="CREATE",allowed="false"'
    assert counted in webhook.metrics.render()
