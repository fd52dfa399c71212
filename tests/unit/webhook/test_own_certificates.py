"""The certificates of a cluster: one Secret, several replicas, caBundle, and clocks that run."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rouse.errors import ConfigError, RejectedError
from rouse.kube import KubeClient
from rouse.kube.objects import Object
from rouse.kube.requests import PatchKind
from rouse.kube.resources import SECRETS, Resource
from rouse.webhook.certificates.configurations import MUTATING, VALIDATING
from rouse.webhook.certificates.own import OwnCertificates
from rouse.webhook.certificates.pki import AUTHORITY_LIFE, SERVING_LIFE, signed_by
from rouse.webhook.certificates.rotation import OVERLAP, SETTLING, Material, renewed
from rouse.webhook.certificates.secret import made_secret, read_material
from rouse.webhook.tls import Pair, ServerCertificate
from tests.unit.webhook.cluster import PLACE, SECRET, installed

START = datetime(2026, 1, 1, tzinfo=UTC)

Another = Callable[[], KubeClient]


@pytest.fixture
async def cluster() -> AsyncIterator[tuple[KubeClient, Another]]:
    async with installed() as made:
        yield made


class Replica:
    """One process's certificates, at a time that the test says."""

    def __init__(self, client: KubeClient) -> None:
        self.now = START
        self.served = ServerCertificate()
        self.pairs: list[Pair] = []
        self.certificates = OwnCertificates(client, PLACE, lambda: self.now)

    def serve(self, pair: Pair) -> None:
        self.served.load(pair)
        self.pairs.append(pair)

    async def until_served(self, material: Material) -> None:
        await until(lambda: self.pairs[-1].certificate == material.serving.certificate)

    async def runs(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.certificates.run(self.serve))
        async with asyncio.timeout(20):
            while not self.pairs:
                await asyncio.sleep(0.01)
        return task


async def ended(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def stored(client: KubeClient) -> Material:
    found = read_material(await client.get(SECRETS, SECRET.name, SECRET.namespace))
    assert found is not None
    return found


async def trusted(client: KubeClient) -> set[bytes]:
    """The bundles of all webhooks."""
    found = [await client.get(each, "rouse-webhook") for each in (VALIDATING, MUTATING)]
    return {
        base64.b64decode(webhook["clientConfig"].get("caBundle", ""))
        for configuration in found
        for webhook in configuration["webhooks"]
    }


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


async def until_trusted(client: KubeClient, bundle: bytes) -> None:
    async with asyncio.timeout(20):
        while await trusted(client) != {bundle}:
            await asyncio.sleep(0.02)


async def test_made_stored_published(cluster: tuple[KubeClient, Another]) -> None:
    client, another = cluster
    replica = Replica(another())
    running = await replica.runs()
    material = await stored(client)
    assert replica.pairs[0].certificate == material.serving.certificate
    await until_trusted(client, material.bundle)
    secret = await client.get(SECRETS, SECRET.name, SECRET.namespace)
    assert secret["type"] == "kubernetes.io/tls"
    await ended(running)


async def test_three_replicas_that_start_together_agree(
    cluster: tuple[KubeClient, Another],
) -> None:
    client, another = cluster
    replicas = [Replica(another()) for _ in range(3)]
    running = await asyncio.gather(*(each.runs() for each in replicas))
    material = await stored(client)
    for each in replicas:
        await each.until_served(material)
    await until_trusted(client, material.bundle)
    await ended(*running)
    assert all(pair == replicas[0].pairs[0] for each in replicas for pair in each.pairs)


async def test_two_replicas_renew_at_the_same_moment(cluster: tuple[KubeClient, Another]) -> None:
    client, another = cluster
    first, second = Replica(another()), Replica(another())
    await first.certificates.step(first.serve)
    for each in (first, second):
        each.now = START + SERVING_LIFE * 3 / 4
    one, other = await asyncio.gather(
        first.certificates.step(first.serve), second.certificates.step(second.serve)
    )
    assert one == other == await stored(client)
    assert first.pairs[-1] == second.pairs[-1] != first.pairs[0]


async def test_a_new_ca_while_running(cluster: tuple[KubeClient, Another]) -> None:
    """The clock is moved: each step is published before the next is taken."""
    client, another = cluster
    replica = Replica(another())
    running = await replica.runs()
    before = await stored(client)
    await until_trusted(client, before.bundle)

    async def at(moment: datetime) -> Material:
        replica.now = moment
        return await replica.certificates.step(replica.serve)

    due = START + AUTHORITY_LIFE * 2 / 3 + timedelta(hours=1)
    # Standing still for years: the serving certificate ended, so that it does not wait.
    await at(START + SERVING_LIFE * 2 / 3)
    await at(due - timedelta(hours=2))
    announced = await at(due)
    assert len(announced.authorities) == 2
    assert announced.authorities[0] == before.newest
    await until_trusted(client, announced.bundle)
    switched = await at(due + SETTLING)
    assert switched.bundle == announced.bundle
    assert signed_by(switched.serving.certificate, switched.newest)
    assert replica.pairs[-1].certificate == switched.serving.certificate
    alone = await at(due + SETTLING + OVERLAP)
    await until_trusted(client, alone.newest)
    assert replica.served.lacks(replica.now) == []
    await ended(running)


async def test_a_bundle_that_somebody_removes_comes_back(
    cluster: tuple[KubeClient, Another],
) -> None:
    client, another = cluster
    running = await Replica(another()).runs()
    material = await stored(client)
    await until_trusted(client, material.bundle)
    lost = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": "bm8="}]
    await client.patch(MUTATING, "rouse-webhook", lost, kind=PatchKind.JSON)
    await until_trusted(client, material.bundle)
    await ended(running)


async def test_a_webhook_that_may_not_see_its_configurations_serves(
    cluster: tuple[KubeClient, Another], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, another = cluster
    listed = KubeClient.pages

    def refused(self: KubeClient, resource: Resource, *rest: Any, **named: Any) -> Any:
        if resource in (VALIDATING, MUTATING):
            raise RejectedError("forbidden", status=403, reason="Forbidden")
        return listed(self, resource, *rest, **named)

    monkeypatch.setattr(KubeClient, "pages", refused)
    replica = Replica(another())
    running = await replica.runs()
    assert replica.served.lacks(START) == []
    await ended(running)


async def test_a_secret_that_is_deleted_is_made_anew(cluster: tuple[KubeClient, Another]) -> None:
    client, another = cluster
    replica = Replica(another())
    running = await replica.runs()
    await client.delete(SECRETS, SECRET.name, SECRET.namespace)
    await until(lambda: len(replica.pairs) > 1 and replica.pairs[-1] != replica.pairs[0])
    await until_trusted(client, (await stored(client)).bundle)
    await ended(running)


async def test_a_damaged_secret_is_made_anew(
    cluster: tuple[KubeClient, Another], caplog: pytest.LogCaptureFixture
) -> None:
    client, another = cluster
    replica = Replica(another())
    material = await replica.certificates.step(replica.serve)
    secret = await client.get(SECRETS, SECRET.name, SECRET.namespace)
    secret["data"]["tls.key"] = base64.b64encode(b"-----BEGIN nothing").decode()
    await client.replace(secret)
    after = await replica.certificates.step(replica.serve)
    assert "damaged" in caplog.text
    assert after != material
    assert after == await stored(client)


async def test_a_certificate_of_others_is_not_written_over(
    cluster: tuple[KubeClient, Another],
) -> None:
    client, another = cluster
    replica = Replica(another())
    theirs: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": SECRET._asdict(),
        "type": "kubernetes.io/tls",
        "data": {"tls.crt": "eA==", "tls.key": "eA=="},
    }
    await client.create(theirs)
    with pytest.raises(ConfigError, match="--cert-manager"):
        await replica.certificates.step(replica.serve)
    live = await client.get(SECRETS, SECRET.name, SECRET.namespace)
    assert live["data"] == theirs["data"]


def test_a_secret_keeps_what_else_is_in_it() -> None:
    live = {"metadata": {**SECRET._asdict(), "labels": {"a": "b"}}, "data": {"note": "eA=="}}
    assert read_material(live | {"data": {}}) is None
    made = renewed(None, PLACE.names, START, is_published=True)
    after = made_secret(SECRET, made, live)
    assert after["data"]["note"] == "eA=="
    assert after["metadata"] == live["metadata"]
    assert read_material(after) == made
