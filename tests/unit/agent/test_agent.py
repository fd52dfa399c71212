"""The agent of a node, on an API in memory, with the storage process itself and a web origin."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rouse.agent.agent import LOCAL_MODEL_NODES, Agent, Settings
from rouse.agent.local import LocalAgent
from rouse.agent.peers import PeerServer, resolve_peers
from rouse.agent.storage import Storage
from rouse.embedded.apiserver.memory import memory_api
from rouse.kube import KubeClient
from rouse.kube.backoff import Backoff
from rouse.kube.objects import Object
from tests.unit.storage.doubles.web import Handler, Origin, serving

BODY = random.Random(6).randbytes(100_000)
QUICK = Settings(recheck_s=0.2, backoff=Backoff(base=0.1, limit=0.2))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUSE_STORAGE_ATTEMPTS", "1")
    monkeypatch.setenv("ROUSE_STORAGE_PART_BYTES", "10000")
    monkeypatch.delenv("ROUSE_MODEL_CACHE", raising=False)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with serving(Origin()) as made:
        made.files |= {"/a": BODY, "/b": BODY[::-1]}
        yield made


@pytest.fixture
async def user() -> AsyncIterator[KubeClient]:
    async with memory_api() as (_, http):
        yield KubeClient(http, field_manager="user")


async def want(user: KubeClient, **uris: str) -> None:
    models = [{"modelName": name, "sourceModelUri": uri} for name, uri in uris.items()]
    await user.apply(
        {
            "apiVersion": LOCAL_MODEL_NODES.api_version,
            "kind": LOCAL_MODEL_NODES.kind,
            "metadata": {"name": "n"},
            "spec": {"localModels": models},
        }
    )


async def told(user: KubeClient, right: Callable[[Object], bool]) -> Object:
    """Wait until the status is right."""
    async with asyncio.timeout(30):
        node = await user.get(LOCAL_MODEL_NODES, "n")
        if right(node.get("status") or {}):
            return dict(node["status"])
        version = node["metadata"]["resourceVersion"]
        async for event in user.watch(LOCAL_MODEL_NODES, resource_version=version):
            if right(event.object.get("status") or {}):
                return dict(event.object["status"])
    raise AssertionError("the watch ended")


def state(**models: str) -> Callable[[Object], bool]:
    wanted = {name: f"ModelDownload{end}" for name, end in models.items()}
    return lambda status: status.get("modelStatus") == wanted


def condition(kind: str, status: str) -> Callable[[Object], bool]:
    def right(found: Object) -> bool:
        listed = found.get("conditions") or ()
        return any(each["type"] == kind and each["status"] == status for each in listed)

    return right


@asynccontextmanager
async def running(agent: Agent) -> AsyncIterator[None]:
    task = asyncio.create_task(agent.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def unavailable(handler: Handler) -> bool:
    handler.send_error(503)
    return True


def files(folder: Path) -> set[bytes]:
    return {each.read_bytes() for each in folder.glob("models/*/files/*")}


async def test_a_node_gets_its_models_keeps_them_up_to_date_and_loses_them(
    user: KubeClient, origin: Origin, tmp_path: Path
) -> None:
    await want(user, a=f"{origin.url}/a", b=f"{origin.url}/b")
    async with running(Agent(user, "n", Storage(tmp_path, 10**6), QUICK)):
        status = await told(user, state(a="ed", b="ed"))
        assert condition("Ready", "True")(status)
        assert files(tmp_path) == {BODY, BODY[::-1]}
        # Another revision: what was there stays until that is.
        origin.files["/a"] = BODY[:50_000]
        while files(tmp_path) != {BODY[:50_000], BODY[::-1]}:
            assert len(files(tmp_path)) >= 2
            await asyncio.sleep(0.05)
        await want(user, a=f"{origin.url}/a")
        await told(user, state(a="ed"))
        assert files(tmp_path) == {BODY[:50_000]}


async def test_what_cannot_be_had_is_told_and_the_rest_is_there(
    user: KubeClient, origin: Origin, tmp_path: Path
) -> None:
    wrong = f"{origin.url}/a#sha256={'0' * 64}"
    await want(
        user, a=f"{origin.url}/a", big=f"{origin.url}/b", wrong=wrong, away="http://127.0.0.1:9/x"
    )
    origin.files["/b"] = bytes(300_000)
    async with running(Agent(user, "n", Storage(tmp_path, 250_000), QUICK)):
        status = await told(
            user,
            lambda status: (
                state(a="ed", big="Error", wrong="Error", away="Error")(status)
                and all(
                    condition(kind, "False")(status)
                    for kind in ("WithinBudget", "OriginsReachable", "ChecksumsMatch")
                )
            ),
        )
        said = {each["type"]: each.get("message", "") for each in status["conditions"]}
        assert (
            "big: it has 300000 bytes, and the node's budget is 250000 bytes"
            in said["WithinBudget"]
        )
        assert files(tmp_path) == {BODY}
        # The origin of what is there goes away: the copy serves on.
        origin.faults.append(unavailable)
        status = await told(
            user,
            lambda status: any(
                each["type"] == "OriginsReachable" and "a:" in each.get("message", "")
                for each in status["conditions"]
            ),
        )
        assert status["modelStatus"]["a"] == "ModelDownloaded"


async def test_an_agent_killed_in_the_middle_goes_on_where_it_was(
    user: KubeClient, origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUSE_STORAGE_CONNECTIONS", "1")
    held = asyncio.Event()
    loop = asyncio.get_running_loop()
    released = threading.Event()

    def stall(handler: Handler) -> bool:
        if handler.headers.get("range") == "bytes=50000-59999" and not released.is_set():
            loop.call_soon_threadsafe(held.set)
            released.wait(30)
            return True
        return False

    origin.faults.append(stall)
    await want(user, a=f"{origin.url}/a")
    async with running(Agent(user, "n", Storage(tmp_path, 10**6), QUICK)):
        async with asyncio.timeout(20):
            await held.wait()
        await told(user, state(a="ing"))
    released.set()
    assert not files(tmp_path)
    origin.requests.clear()
    async with running(Agent(user, "n", Storage(tmp_path, 10**6), QUICK)):
        await told(user, state(a="ed"))
    assert files(tmp_path) == {BODY}
    ranges = {headers.get("range") for _, _, headers in origin.requests}
    assert "bytes=40000-49999" not in ranges
    assert "bytes=60000-69999" in ranges


async def test_another_node_is_asked_before_the_origin(
    user: KubeClient, origin: Origin, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert [e async for e in Storage(there, 10**6).fetch(f"{origin.url}/a")]
    origin.requests.clear()
    env = {"ROUSE_PEER_TOKEN": "word"}
    async with PeerServer(there, "word", host="127.0.0.1") as server:
        peers = await resolve_peers([str(tmp_path / "none"), f"http://localhost:{server.port}"])
        events = [e async for e in Storage(here, 10**6, env=env).fetch(f"{origin.url}/a", peers)]
        assert events[-1]["event"] == "fetched"
        # Which revision it is, and no byte more than comes with that.
        assert len(origin.requests) == 1
        refused = [e async for e in Storage(tmp_path / "x", 10**6).fetch(f"{origin.url}/a", peers)]
        assert refused[-1]["event"] == "fetched"
        assert len(origin.requests) > 2
    assert files(here) == {BODY}


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /models/{digest}/description HTTP/1.1", b"200 OK"),
        ("GET /models/{digest}/files/a HTTP/1.1", b"200 OK"),
        ("GET /models/{digest}/files/../manifest.json HTTP/1.1", b"404 Not Found"),
        ("GET /models/{digest}/files/%2e%2e/digests HTTP/1.1", b"404 Not Found"),
        ("GET /models HTTP/1.1", b"404 Not Found"),
        ("GET /models/{digest}/files/a HTTP/1.1\r\nRange: bytes=2-1", b"416 Requested Range"),
        (f"GET /models/{{digest}}/files/a HTTP/1.1\r\nRange: bytes=0-{'9' * 5000}", b"416 Req"),
        ("PUT /models/{digest}/files/a HTTP/1.1", b"405 Method Not Allowed"),
    ],
)
async def test_only_files_of_a_model_are_served(
    origin: Origin, tmp_path: Path, request_line: str, status: bytes
) -> None:
    from predictors.storage.cache import Cache
    from predictors.storage.seal import seal

    entry = await asyncio.to_thread(Cache(tmp_path).fetch, f"{origin.url}/a", env={})
    assert entry is not None
    seal(tmp_path, entry.digest)
    async with PeerServer(tmp_path, "word", host="127.0.0.1") as server:
        for token, wanted in (("word", status), ("other", b"401 Unauthorized")):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            line = request_line.replace("{digest}", entry.digest)
            writer.write(f"{line}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            if status != b"405 Method Not Allowed":
                assert answer.partition(b"\r\n")[0].startswith(b"HTTP/1.1 " + wanted)
            else:
                assert status in answer


async def test_a_killed_storage_process_is_a_failure_that_is_tried_again(
    user: KubeClient, origin: Origin, tmp_path: Path
) -> None:
    script = tmp_path / "python"
    script.write_text('#!/bin/sh\nfor w in "$@"; do [ "$w" = fetch ] && kill -9 $$; done; true\n')
    script.chmod(0o700)
    await want(user, a=f"{origin.url}/a")
    storage = Storage(tmp_path / "cache", 10**6, python=str(script))
    async with running(Agent(user, "n", storage, QUICK)):
        await told(user, state(a="Error"))
    assert not files(tmp_path / "cache")


async def test_a_full_disk_is_told_and_what_is_there_serves_on(
    user: KubeClient, origin: Origin, tmp_path: Path
) -> None:
    """The disk is another's too: it is full before the budget is."""
    script = tmp_path / "python"
    patched = "import shutil, sys; shutil.disk_usage = lambda _: type('U', (), {'free': 10}); "
    run = "from predictors.storage.command import main; sys.exit(main(sys.argv[1:]))"
    script.write_text(
        f'#!/bin/sh\nshift 2\ncase "$*" in *{origin.url}/b) '
        f'exec {sys.executable} -c "{patched}{run}" "$@";; esac\n'
        f'exec {sys.executable} -m predictors.storage "$@"\n'
    )
    script.chmod(0o700)
    await want(user, a=f"{origin.url}/a", b=f"{origin.url}/b")
    storage = Storage(tmp_path / "cache", 10**6, python=str(script))
    async with running(Agent(user, "n", storage, QUICK)):
        status = await told(
            user,
            lambda status: (
                state(a="ed", b="Error")(status) and condition("DiskHasRoom", "False")(status)
            ),
        )
    said = {each["type"]: each.get("message", "") for each in status["conditions"]}
    assert "10 bytes free" in said["DiskHasRoom"]
    assert files(tmp_path / "cache") == files(tmp_path / "cache/views/shared") == {BODY}


async def test_on_a_laptop_it_begins_when_there_is_something_to_do(
    user: KubeClient, origin: Origin, tmp_path: Path
) -> None:
    made = []

    def make() -> Agent:
        made.append(Agent(user, "n", Storage(tmp_path, 10**6), QUICK))
        return made[-1]

    local = LocalAgent(user, "n", make)
    await local.start()
    try:
        await local._informer.synced()
        assert not made
        await want(user, a=f"{origin.url}/a")
        await told(user, state(a="ed"))
        assert len(made) == 1
    finally:
        await local.stop()
