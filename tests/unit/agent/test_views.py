"""Who may read what of a node's cache: tables, and an agent whose caches are of two namespaces."""

from __future__ import annotations

import asyncio
import base64
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rouse.agent.agent import LOCAL_MODEL_NODES, Agent, Settings
from rouse.agent.plan import Copy, Known, Run, Wish, decide, source_of
from rouse.agent.storage import Storage
from rouse.agent.views import View, make_views
from rouse.embedded.apiserver.memory import memory_api
from rouse.kube import KubeClient
from rouse.kube.objects import Object
from tests.unit.storage.doubles.web import Handler, Origin, serving

A = "s3://m/a"
TEAM_A, TEAM_B = "namespaces/team-a", "namespaces/team-b"


def wish(*readers: str, scope: str = "") -> Wish:
    return Wish("a", A, scope=scope, readers=frozenset(readers))


@pytest.mark.parametrize(
    ("case", "wishes", "runs", "wanted"),
    [
        ("a LocalModelCache", [Wish("a", A)], [], {"shared": View({"d"})}),
        ("a namespace's", [wish("team-a")], [], {TEAM_A: View({"d"})}),
        ("nobody's", [wish()], [], {}),
        (
            "what credentials opened is not what the agent's own did",
            [wish("team-a", scope="team-a"), wish("team-b")],
            [],
            {TEAM_A: View({"own"}), TEAM_B: View({"d"})},
        ),
        (
            "a pod's word holds and brings nothing",
            [wish("team-a")],
            [Run(A, 0.0, "team-b")],
            {
                TEAM_A: View({"d"}),
                TEAM_B: View(set(), {"d"}),
                "shared": View(set(), {"d"}),
            },
        ),
    ],
)
def test_views(case: str, wishes: list[Wish], runs: list[Run], wanted: dict[str, View]) -> None:
    known = {A: Known("d"), source_of(A, "team-a"): Known("own")}
    copies = [Copy("d", 1), Copy("own", 1)]
    assert make_views(wishes, known, copies, runs) == wanted, case


@pytest.mark.parametrize("location", [f"{A}\nteam-a", f"team-a\n{A}", f"\n{A}", f"{A}\n"])
def test_no_location_can_be_worded_like_anothers_credentials(location: str) -> None:
    known = {source_of(A, "team-a"): Known("own")}
    wishes = [Wish("b", location, readers=frozenset(["team-b"]))]
    assert make_views(wishes, known, [Copy("own", 1)], [Run(location, 0.0, "team-b")]) == {
        TEAM_B: View()
    }


def test_a_former_revision_is_held() -> None:
    found = make_views([Wish("a", A)], {A: Known("new", ("old", "gone"))}, [Copy("old", 1)], [])
    assert found == {"shared": View(set(), {"old"})}


def test_another_namespaces_pod_holds_no_copy_that_it_could_not_read() -> None:
    known = {source_of(A, "team-a"): Known("own")}
    copies = [Copy("own", 1, fetched_at=1.0)]
    assert decide([], known, copies, [Run(A, 2.0, "team-b")], budget=9).evict == ("own",)
    assert decide([], known, copies, [Run(A, 2.0, "team-a")], budget=9).evict == ()


def test_equal_bytes_take_room_once() -> None:
    own = source_of(A, "team-a")
    known = {A: Known("d", bytes=60), own: Known("own", bytes=60)}
    copies = [Copy("d", 60, content="same"), Copy("own", 60, content="same")]
    wishes = [wish("team-b"), wish("team-a", scope="team-a")]
    found = decide(wishes, known, copies, [], budget=100, taken=-60)
    assert (found.evict, dict(found.refused)) == ((), {})
    other = [copies[0], Copy("own", 60, content="other")]
    assert own in decide(wishes, known, other, [], budget=100).refused


@pytest.fixture
async def user() -> AsyncIterator[KubeClient]:
    async with memory_api() as (_, http):
        yield KubeClient(http, field_manager="user")


async def test_two_namespaces_on_one_node(
    user: KubeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is let in by the origin, the other is not and names the same location."""
    monkeypatch.setenv("ROUSE_STORAGE_ATTEMPTS", "1")

    def closed(handler: Handler) -> bool:
        if handler.path != "/secret" or handler.headers.get("authorization") == "Bearer word":
            return False
        handler.send_error(401)
        return True

    with serving(Origin()) as origin:
        origin.files |= {"/secret": b"theirs", "/open": b"weights"}
        origin.faults.append(closed)
        # A cache as it was before there were views: its entries are taken over.
        before = Storage(tmp_path, 10**6)
        assert [each async for each in before.fetch(f"{origin.url}/open")][-1]["new"]
        origin.requests.clear()
        secret = {"sourceModelUri": f"{origin.url}/secret"}
        account: Object = {"serviceAccountName": "reader"}
        await give_word(user, "team-a")
        await want(
            user,
            {"modelName": "theirs", "namespace": "team-a", **secret, **account},
            {"modelName": "on-demand:x", "namespace": "team-b", **secret},
            {"modelName": "all", "sourceModelUri": f"{origin.url}/open"},
        )
        agent = asyncio.create_task(Agent(user, "n", before, Settings()).run())
        try:
            status = await told(user, {"all", "team-a/theirs"}, "team-b/on-demand:x")
        finally:
            agent.cancel()
            await asyncio.gather(agent, return_exceptions=True)
        # What was there before is not fetched again: it is asked which revision it has.
        assert [path for _, path, _ in origin.requests].count("/open") == 1
    assert "401" in str(status["conditions"])
    views = tmp_path / "views"
    assert read(views / "shared") == [b"weights"]
    assert read(views / TEAM_A) == [b"theirs"]
    assert read(views / TEAM_B) == []
    for name in ("models", "latest", "blobs", "partial"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700


def read(view: Path) -> list[bytes]:
    return [path.read_bytes() for path in view.glob("models/*/files/*")]


async def give_word(user: KubeClient, namespace: str) -> None:
    await user.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    said = {"https-host": "127.0.0.1", "headers": '{"Authorization": "Bearer word"}'}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in said.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "data": data}
    await user.apply({**secret, "metadata": {"namespace": namespace, "name": "store"}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "secrets": [{"name": "store"}]}
    await user.apply({**account, "metadata": {"namespace": namespace, "name": "reader"}})


async def want(user: KubeClient, *models: Object) -> None:
    await user.apply(
        {
            "apiVersion": LOCAL_MODEL_NODES.api_version,
            "kind": LOCAL_MODEL_NODES.kind,
            "metadata": {"name": "n"},
            "spec": {"localModels": list(models)},
        }
    )


async def told(user: KubeClient, here: set[str], failed: str) -> Object:
    """Wait until some models are there and another cannot be had; the status."""
    async with asyncio.timeout(30):
        node = await user.get(LOCAL_MODEL_NODES, "n")
        version = node["metadata"]["resourceVersion"]
        async for event in user.watch(LOCAL_MODEL_NODES, resource_version=version):
            status: Object = event.object.get("status") or {}
            states = status.get("modelStatus") or {}
            there = {name for name, state in states.items() if state == "ModelDownloaded"}
            if there == here and states.get(failed) == "ModelDownloadError":
                return status
    raise AssertionError("the watch ended")
