"""Credentials of caches: read by name from one namespace, for one fetch, and told where missing."""

from __future__ import annotations

import asyncio
import base64
import stat
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import pytest

from rouse.agent.agent import LOCAL_MODEL_NODES, Agent, Settings
from rouse.agent.credentials import (
    NAMESPACE,
    Credentials,
    CredentialsError,
    Keyring,
    credentials_of,
)
from rouse.agent.plan import source_of
from rouse.agent.storage import Storage
from rouse.compiler.storage.spec import Entry
from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import RejectedError
from rouse.kube import KubeClient
from rouse.kube.backoff import Backoff
from rouse.kube.objects import Object
from tests.unit.storage.doubles.web import Handler, Origin, serving

S3 = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "word"}


@pytest.fixture
async def user() -> AsyncIterator[KubeClient]:
    async with memory_api() as (_, http):
        client = KubeClient(http, field_manager="user")
        for name in (NAMESPACE, "team"):
            await client.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        yield client


async def give(
    user: KubeClient, data: dict[str, str], namespace: str = NAMESPACE, **annotations: str
) -> None:
    """A ServiceAccount ``reader`` with one Secret ``store``."""
    metadata = {"namespace": namespace, "annotations": annotations}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": "store"}}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    await user.apply({**secret, "data": encoded})
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    metadata = {"namespace": namespace, "name": "reader"}
    await user.apply({**account, "metadata": metadata, "secrets": [{"name": "store"}]})


def test_whose_credentials_open_a_location() -> None:
    def model(uri: str, **fields: Any) -> Object:
        return {"modelName": "m", "sourceModelUri": uri, **fields}

    found = credentials_of(
        [
            model("s3://open"),
            model("s3://a", serviceAccountName="reader"),
            model("s3://a", serviceAccountName="other", namespace="team"),
            model("s3://a", serviceAccountName="third", namespace="team"),
            model("s3://b", serviceAccountName="reader", namespace="team"),
            model("s3://c", storage={"key": "minio", "parameters": {"bucket": "c"}}),
        ]
    )
    assert found == {
        "s3://a": Credentials(NAMESPACE, "reader"),
        source_of("s3://a", "team"): Credentials("team", "other"),
        source_of("s3://b", "team"): Credentials("team", "reader"),
        "s3://c": Credentials(NAMESPACE, "", Entry("minio", {"bucket": "c"})),
    }


@pytest.mark.parametrize("namespace", [NAMESPACE, "team"])
async def test_a_service_account_gives_what_it_gives_a_container(
    user: KubeClient, namespace: str
) -> None:
    await give(user, S3, namespace, **{"serving.kserve.io/s3-endpoint": "minio:9000"})
    async with Keyring(user).opened(Credentials(namespace, "reader")) as variables:
        assert variables is not None
        assert variables.items() >= S3.items()
        assert variables["AWS_ENDPOINT_URL"] == "https://minio:9000"


async def test_files_are_there_for_the_length_of_the_fetch_and_for_nobody_else(
    user: KubeClient,
) -> None:
    await give(user, {"gcloud-application-credentials.json": "{}"})
    async with Keyring(user).opened(Credentials(NAMESPACE, "reader")) as variables:
        assert variables is not None
        file = Path(variables["GOOGLE_APPLICATION_CREDENTIALS"])
        assert file.read_text() == "{}"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not file.exists()


async def test_an_entry_of_storage_config_and_its_parameters(user: KubeClient) -> None:
    said = '{"type": "s3", "access_key_id": "id"}'
    data = {"minio": base64.b64encode(said.encode()).decode()}
    metadata = {"name": "storage-config", "namespace": NAMESPACE}
    await user.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    keyring = Keyring(user)
    entry = Entry("minio", {"bucket": "models"})
    async with keyring.opened(Credentials(NAMESPACE, entry=entry)) as variables:
        assert variables == {
            "STORAGE_CONFIG": said,
            "STORAGE_OVERRIDE_CONFIG": '{"bucket":"models"}',
        }
    with pytest.raises(CredentialsError, match='storage-config has no key "absent"'):
        async with keyring.opened(Credentials(NAMESPACE, entry=Entry("absent"))):
            pass


class Api:
    """Forbids what it is told to; else a ServiceAccount with the Secret ``store``."""

    def __init__(self, *forbidden: str) -> None:
        self.forbidden = forbidden

    async def get(self, resource: Any, name: str, namespace: str) -> Object:
        if resource.kind in self.forbidden:
            raise RejectedError("no", status=HTTPStatus.FORBIDDEN, reason="Forbidden")
        metadata = {"name": name, "namespace": namespace}
        return {"kind": resource.kind, "metadata": metadata, "secrets": [{"name": "store"}]}


@pytest.mark.parametrize("kind", ["ServiceAccount", "Secret"])
async def test_what_may_not_be_read_is_told_with_what_to_do(kind: str) -> None:
    keyring = Keyring(cast("KubeClient", Api(kind)))
    name = {"ServiceAccount": "reader", "Secret": "store"}[kind]
    wanted = f"may not read {kind} team/{name}: bind the ClusterRole rouse-node-agent-credentials"
    with pytest.raises(CredentialsError, match=wanted):
        async with keyring.opened(Credentials("team", "reader")):
            pass


async def test_the_agents_own_credentials_do_not_count_beside_those_of_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nenv > {tmp_path}/env\necho \'{{"event": "told"}}\'\n')
    script.chmod(0o700)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "mine")
    monkeypatch.setenv("HF_TOKEN", "mine")
    storage = Storage(tmp_path, 10, env={"ROUSE_PEER_TOKEN": "shared"}, python=str(script))

    async def told(credentials: dict[str, str] | None) -> set[str]:
        assert [event async for event in storage.fetch("s3://a", (), credentials)]
        return set((tmp_path / "env").read_text().splitlines())

    mine = {"AWS_SESSION_TOKEN=mine", "HF_TOKEN=mine"}
    assert await told(None) >= mine
    found = await told(S3)
    assert found.isdisjoint(mine)
    assert found >= {"AWS_ACCESS_KEY_ID=id", "ROUSE_PEER_TOKEN=shared"}


async def test_a_private_model_comes_once_its_credentials_are_there(
    user: KubeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUSE_STORAGE_ATTEMPTS", "1")
    settings = Settings(recheck_s=0.2, backoff=Backoff(base=0.1, limit=0.2))

    def closed(handler: Handler) -> bool:
        if handler.headers.get("authorization") == "Bearer word":
            return False
        handler.send_error(401)
        return True

    async def until(word: str) -> None:
        node = await user.get(LOCAL_MODEL_NODES, "n")
        version = node["metadata"]["resourceVersion"]
        async for event in user.watch(LOCAL_MODEL_NODES, resource_version=version):
            if word in str(event.object.get("status")):
                return

    with serving(Origin()) as origin:
        origin.files["/a"] = b"weights"
        origin.faults.append(closed)
        model = {"modelName": "a", "sourceModelUri": f"{origin.url}/a"}
        await user.apply(
            {
                "apiVersion": LOCAL_MODEL_NODES.api_version,
                "kind": LOCAL_MODEL_NODES.kind,
                "metadata": {"name": "n"},
                "spec": {"localModels": [{**model, "serviceAccountName": "reader"}]},
            }
        )
        agent = asyncio.create_task(Agent(user, "n", Storage(tmp_path, 10**6), settings).run())
        try:
            async with asyncio.timeout(30):
                await until(f"ServiceAccount {NAMESPACE}/reader, which the cache names, does not")
                assert not origin.requests
                await give(
                    user, {"https-host": "127.0.0.1", "headers": '{"Authorization": "Bearer word"}'}
                )
                await until("ModelDownloaded")
        finally:
            agent.cancel()
            await asyncio.gather(agent, return_exceptions=True)
