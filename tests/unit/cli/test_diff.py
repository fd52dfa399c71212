"""`rouse diff`: dry runs against a real API server in this process, and its exit codes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rouse.cli import diff as command
from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import UnavailableError
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.resources import INFERENCE_SERVICES, KNATIVE_SERVICES
from rouse.sdk.compiling import compile_documents, sorted_objects
from rouse.sdk.differing import Difference, differences, unified
from rouse.sdk.documents import Document
from rouse.sdk.settings import load_config, load_runtimes

Object = dict[str, Any]


def service(storage: str = "pvc://models/v1", **predictor: Any) -> Object:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": storage}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "default"},
        "spec": {"predictor": {**predictor, "model": model}},
    }


@pytest.fixture
async def client() -> AsyncIterator[KubeClient]:
    async with memory_api() as (_, http):
        yield KubeClient(http)


async def told(client: KubeClient, *objects: Object) -> dict[str, Difference]:
    documents = [Document("file", obj) for obj in objects]
    return {each.name: each async for each in differences(client, documents, "default")}


async def rolled_out(client: KubeClient, obj: Object) -> None:
    """Apply an InferenceService and what the controller would make of it."""
    stored = await client.apply(obj, field_manager="rouse-cli")
    outcomes = compile_documents(
        [Document("", stored)],
        runtimes=load_runtimes(None),
        config=load_config(None, "embedded"),
    )
    for each in sorted_objects(outcomes):
        await apply_if_differs(client, each, None)


async def test_a_new_service_and_all_that_follows_from_it(client: KubeClient) -> None:
    found = await told(client, service())
    assert found.keys() == {
        "InferenceService default/iris",
        "Service default/iris",
        "Service default/iris-predictor",
    }
    assert all(each.text.startswith("--- /dev/null") for each in found.values())
    assert not [each.problem for each in found.values() if each.problem]
    # A dry run leaves nothing behind.
    assert not (await client.list(INFERENCE_SERVICES)).items


async def test_the_same_again_changes_nothing(client: KubeClient) -> None:
    await rolled_out(client, service())
    assert not [each.text for each in (await told(client, service())).values() if each.text]


async def test_a_change_is_seen_in_both(client: KubeClient) -> None:
    await rolled_out(client, service())
    found = await told(client, service("pvc://models/v2"))
    text = found["InferenceService default/iris"].text
    assert "-      storageUri: pvc://models/v1\n+      storageUri: pvc://models/v2\n" in text
    assert "managedFields" not in text
    assert "resourceVersion" not in text
    assert "subPath" in found["Service default/iris-predictor"].text
    assert not found["Service default/iris"].text
    live = await client.get(KNATIVE_SERVICES, "iris-predictor", "default")
    assert "'subPath': 'v1'" in str(live["spec"])


async def test_what_nothing_wants_any_more_goes(client: KubeClient) -> None:
    await rolled_out(client, service())
    stopped = service()
    stopped["metadata"]["annotations"] = {"serving.kserve.io/stop": "true"}
    found = await told(client, stopped)
    assert "+++ /dev/null" in found["Service default/iris-predictor"].text
    assert "+++ /dev/null" in found["Service default/iris"].text


async def test_refusals_name_the_field(client: KubeClient) -> None:
    bad = service(minReplica=1)
    [found] = (await told(client, bad)).values()
    assert "spec.predictor.minReplica" in found.problem
    odd = {"apiVersion": "example.com/v1", "kind": "Odd", "metadata": {"name": "x"}}
    [found] = (await told(client, odd)).values()
    assert "unknown kind Odd" in found.problem
    unserved = service()
    unserved["spec"]["predictor"]["model"]["modelFormat"]["name"] = "nothing"
    found = (await told(client, unserved))["InferenceService default/iris"]
    assert "no runtime serves nothing" in found.problem


def test_secrets_stay_secret() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    text = unified({**secret, "data": {"key": "b25l"}}, {**secret, "data": {"key": "dHdv"}})
    assert "b25l" not in text
    assert "dHdv" not in text
    assert "-  key: '*** (sha256" in text


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([Difference("x")], 0),
        ([Difference("x"), Difference("y", text="--- a\n")], 1),
        ([Difference("x", text="--- a\n"), Difference("y", problem="no")], 2),
    ],
)
def test_exit_codes(
    cli: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: list[Difference],
    code: int,
) -> None:
    async def given(*_: object) -> list[Difference]:
        return found

    monkeypatch.setattr(command, "_differences", given)
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump(service()))
    ran = cli("diff", "-f", file)
    assert ran.code == code
    assert ran.out == "".join(each.text for each in found)
    assert ("rouse: y: no" in ran.err) == (code == 2)


def test_an_api_that_does_not_answer_is_no_difference(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(yaml.safe_dump(service()))
    ran = cli("diff", "-f", file, "--kubeconfig", tmp_path / "absent")
    assert (ran.code, ran.out) == (2, "")
    assert "absent" in ran.err

    async def refused(*_: object) -> list[Difference]:
        raise UnavailableError("no answer from the API")

    monkeypatch.setattr(command, "_differences", refused)
    assert cli("diff", "-f", file).code == 2


def test_unreadable_files_count_as_errors(cli: Any, tmp_path: Path) -> None:
    ran = cli("diff", "-f", tmp_path / "absent.yaml", "--kubeconfig", tmp_path / "absent")
    assert ran.code == 2
    assert "absent.yaml: No such file" in ran.err
