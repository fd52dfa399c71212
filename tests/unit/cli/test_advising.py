"""`rouse coldstart advise`: what is proposed, and what is written of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from rouse.coldstart.advise import Proposal
from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import ConflictError
from rouse.kube.client import KubeClient
from rouse.kube.resources import INFERENCE_SERVICES
from rouse.sdk import browse, tuning

Json = dict[str, Any]


def slow(**annotations: str) -> Json:
    began = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    record = {"time": began, "revision": "r", "totalMs": 4000.0, "phases": {"fetch": 4000.0}}
    cold = {"p50Ms": 4000.0, "p95Ms": 4000.0, "count": 10, "since": began, "recent": [record]}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"namespace": "default", "name": "slow", "annotations": annotations},
        "spec": {
            "predictor": {
                "minReplicas": 0,
                "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/slow"},
            }
        },
        "status": {"coldStart": cold},
    }


def serve(monkeypatch: pytest.MonkeyPatch, *services: Json) -> None:
    def fetch(_resource: str, name: str | None, **_: object) -> Json:
        return services[0] if name else {"items": list(services)}

    monkeypatch.setattr(browse, "fetch", fetch)


def test_a_table_and_why(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, slow())
    ran = cli("coldstart", "advise")
    titles, line = ran.out.splitlines()
    assert titles.startswith("NAMESPACE   NAME")
    assert "default slow rouse.dev/model-cache - demand 40.0" in " ".join(line.split())
    assert "fetching the model takes 100% of a wake-up" in ran.err
    [row] = orjson.loads(cli("coldstart", "advise", "slow", "-o", "json").out)
    assert (row["setting"], row["proposed"]) == ("rouse.dev/model-cache", "demand")


def test_nothing_to_change(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, slow(**{"rouse.dev/model-cache": "demand"}))
    ran = cli("coldstart", "advise", "slow", "--apply")
    assert (ran.code, ran.out) == (0, "")
    assert "Nothing to change" in ran.err


def test_apply_writes_and_shows_the_diff(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, slow())
    given: list[bool] = []

    def written(_service: Json, proposals: list[Proposal], *, force: bool, **_: object) -> str:
        given.append(force)
        return f"+{proposals[0].setting}\n"

    monkeypatch.setattr(tuning, "apply_proposals", written)
    assert cli("coldstart", "advise", "--apply").err.endswith("+rouse.dev/model-cache\n")
    cli("coldstart", "advise", "--apply", "--force-conflicts")
    assert given == [False, True]


def proposal(setting: str, value: str | int) -> Proposal:
    return Proposal(setting, "-", value, 1.0, 0.0, "")


async def test_what_was_written_before_stays_and_what_others_set_is_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with memory_api() as (_, http):
        client = KubeClient(http)

        @asynccontextmanager
        async def connected(_config: object) -> AsyncIterator[KubeClient]:
            yield client

        monkeypatch.setattr(tuning, "connect", connected)
        monkeypatch.setattr(tuning, "locate", lambda _path: SimpleNamespace(cluster=None))

        async def write(one: Proposal, *, force: bool = False) -> str:
            live = await client.get(INFERENCE_SERVICES, "slow", "default")
            return await tuning._apply(tuning.make_patch(live, [one]), live, None, force=force)

        await client.apply(slow(), field_manager="user")
        diff = await write(proposal("rouse.dev/model-cache", "demand"))
        assert "+    rouse.dev/model-cache: demand\n" in diff
        await write(proposal("rouse.dev/keep-alive", "auto"))
        live = await client.get(INFERENCE_SERVICES, "slow", "default")
        assert live["metadata"]["annotations"] == {
            "rouse.dev/keep-alive": "auto",
            "rouse.dev/model-cache": "demand",
        }
        with pytest.raises(ConflictError, match="user"):
            await write(proposal("minReplicas", 1))
        assert "+    minReplicas: 1\n" in await write(proposal("minReplicas", 1), force=True)
        await write(proposal("containerConcurrency", 4))
        live = await client.get(INFERENCE_SERVICES, "slow", "default")
        assert live["spec"]["predictor"]["minReplicas"] == 1
        assert live["spec"]["predictor"]["containerConcurrency"] == 4
        assert live["spec"]["predictor"]["model"]["storageUri"] == "s3://models/slow"

        # None is left, or one of the same name was made meanwhile: nothing is made, or written.
        await client.delete(INFERENCE_SERVICES, "slow", "default", uid=live["metadata"]["uid"])
        patch = tuning.make_patch(live, [proposal("rouse.dev/model-cache", "off")])
        with pytest.raises(ConflictError):
            await tuning._apply(patch, live, None, force=True)
        await client.apply(slow(), field_manager="user")
        with pytest.raises(ConflictError):
            await tuning._apply(patch, live, None, force=True)
