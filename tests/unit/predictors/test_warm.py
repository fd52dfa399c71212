"""A real warm parent and the replicas it forks."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

ROOT = Path(__file__).parents[3]
BODY = {"instances": [[5.1, 3.5, 1.4, 0.2]]}


class WarmParent:
    """The node's side of the protocol."""

    def __init__(self, home: Path, **env: str) -> None:
        self.home = home
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(30)
        with theirs, (home / "parent.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "predictors.sklearn", "--warm"],
                cwd=ROOT,
                env={**os.environ, "ROUSE_WARM_FD": str(theirs.fileno()), **env},
                pass_fds=[theirs.fileno()],
                stderr=log,
            )
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(str(home / "n"))
        self.notices.settimeout(30)
        self.hello = self.receive()

    def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = orjson.loads(self.channel.recv(65536))
        return message

    def send(self, message: Any, fds: list[int]) -> None:
        data = message if isinstance(message, bytes) else orjson.dumps(message)
        socket.send_fds(self.channel, [data], fds)

    def spawn(self, name: str, folder: Path, **env: str) -> tuple[int, str, Path]:
        """Fork a replica and wait until it is ready: its pid, URL and log."""
        args = ["--model_name=iris", f"--model_dir={folder}"]
        return self.start(name, {"args": args}, **env)

    def start(self, name: str, told: dict[str, Any], **env: str) -> tuple[int, str, Path]:
        """As `spawn`, of a request with these fields."""
        log = self.home / f"{name.replace('/', '-')}.log"
        with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
            self.send(
                {
                    "type": "spawn",
                    "id": name,
                    **told,
                    "env": {**os.environ, "ROUSE_NOTIFY_SOCKET": str(self.home / "n"), **env},
                    "cwd": str(self.home),
                },
                [output.fileno(), output.fileno(), listener.fileno()],
            )
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        answer = self.receive()
        assert (answer["type"], answer["id"]) == ("spawned", name)
        while True:
            notice = orjson.loads(self.notices.recv(65536))
            if notice["pid"] == answer["pid"] and notice["type"] in ("ready", "failed"):
                assert notice["type"] == "ready", notice
                return int(answer["pid"]), url, log

    def close(self) -> None:
        self.channel.close()
        self.notices.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[WarmParent]:
    warm = WarmParent(tmp_path)
    yield warm
    warm.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmParent]:
    """One parent for the tests that leave it as it was."""
    warm = WarmParent(tmp_path_factory.mktemp("w"), PYTHONPROFILEIMPORTTIME="1")
    yield warm
    warm.close()


def test_it_says_what_it_is_and_has_one_thread(shared: WarmParent) -> None:
    parent = shared
    assert parent.hello["type"] == "ready"
    assert parent.hello["framework"] == "sklearn"
    assert parent.hello["pid"] == parent.process.pid
    assert parent.hello["import_s"] > 0
    assert len(os.listdir(f"/proc/{parent.process.pid}/task")) == 1


def test_what_a_replica_needs_is_imported_before_it_is_forked(shared: WarmParent) -> None:
    lines = (shared.home / "parent.log").read_text().splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time")}
    # What the server, its look into a node's cache, and the framework's modules import themselves.
    assert {"predictors.serving.application", "predictors.storage.entries", "joblib"} <= imported


async def test_replicas_live_and_die_on_their_own(parent: WarmParent, iris_folder: Path) -> None:
    first, first_url, log = parent.spawn("d/a/0", iris_folder)
    second, second_url, _ = parent.spawn("d/b/0", iris_folder, PREDICT_PROBA="true")
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{first_url}/v1/models/iris:predict", json=BODY)
        assert answer.json() == {"predictions": [0]}
        answer = await client.post(f"{second_url}/v1/models/iris:predict", json=BODY)
        assert len(answer.json()["predictions"][0]) == 3
        assert os.getpgid(first) == first
        assert os.readlink(f"/proc/{first}/cwd") == str(parent.home)
        assert os.readlink(f"/proc/{first}/fd/0") == "/dev/null"
        assert "model iris is ready" in log.read_text()

        os.kill(first, signal.SIGKILL)
        assert await asyncio.to_thread(parent.receive) == {
            "type": "exited",
            "id": "d/a/0",
            "pid": first,
            "status": -signal.SIGKILL,
        }
        answer = await client.post(f"{second_url}/v1/models/iris:predict", json=BODY)
        assert answer.status_code == 200
    os.kill(second, signal.SIGTERM)
    exited = await asyncio.to_thread(parent.receive)
    assert (exited["id"], exited["status"]) == ("d/b/0", 0)


def test_a_replica_that_cannot_load_exits_1(parent: WarmParent, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="absent does not exist"):
        parent.spawn("d/a/0", tmp_path / "absent")
    exited = parent.receive()
    assert (exited["type"], exited["status"]) == ("exited", 1)


def _end_channel(parent: WarmParent) -> None:
    parent.channel.close()


def _terminate(parent: WarmParent) -> None:
    parent.process.terminate()


def _kill(parent: WarmParent) -> None:
    parent.process.kill()


@pytest.mark.parametrize(
    ("end", "code"), [(_end_channel, 0), (_terminate, 0), (_kill, -signal.SIGKILL)]
)
def test_replicas_do_not_outlive_it(
    parent: WarmParent, iris_folder: Path, end: Callable[[WarmParent], None], code: int
) -> None:
    pids = [parent.spawn(f"d/{name}/0", iris_folder)[0] for name in "ab"]
    watched = [os.pidfd_open(pid) for pid in pids]
    end(parent)
    assert parent.process.wait(10) == code
    for fd in watched:
        _gone(fd)
        os.close(fd)


@pytest.mark.parametrize(
    ("message", "fds", "reason"),
    [
        (b"hello", 3, "not JSON"),
        ([1], 3, 'a message of type "spawn" is expected'),
        ({"type": "stop", "id": "x"}, 3, 'a message of type "spawn" is expected'),
        ({"type": "spawn", "id": "x"}, 1, "3 file descriptors are expected, got 1"),
        ({"type": "spawn", "id": "x"}, 3, "id and cwd must be strings"),
        ({"type": "spawn", "id": "x", "cwd": "/", "args": [1]}, 3, "args must be a list of str"),
        (
            {"type": "spawn", "id": "x", "cwd": "/", "args": [], "env": {"A": 1}},
            3,
            "env must be an object of strings",
        ),
        (
            {"type": "spawn", "id": "x", "cwd": "/", "args": [], "env": {}, "module": 1},
            3,
            "module must be a string",
        ),
    ],
)
def test_wrong_messages_are_answered_and_leak_nothing(
    shared: WarmParent, message: Any, fds: int, reason: str
) -> None:
    parent = shared
    folder = f"/proc/{parent.process.pid}/fd"
    before = len(os.listdir(folder))
    parent.send(message, [1] * fds)
    answer = parent.receive()
    assert answer["type"] == "failed"
    assert answer["id"] == (message.get("id") if isinstance(message, dict) else None)
    assert answer["error"].startswith(f"bad request: {reason}")
    assert len(os.listdir(folder)) == before


def _gone(pidfd: int) -> None:

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(10_000)


def test_a_spare_waits_and_is_replaced(parent: WarmParent, iris_folder: Path) -> None:
    """From the first request on a child is forked ahead; losing it costs nothing but a fork."""
    assert _children(parent) == set()
    first, _, _ = parent.spawn("d/a/0", iris_folder)
    spare = _next_spare(parent, {first})
    pid, _, _ = parent.spawn("d/b/0", iris_folder)
    assert pid == spare
    spare = _next_spare(parent, {first, pid})
    watched = os.pidfd_open(spare)
    os.kill(spare, signal.SIGKILL)
    _gone(watched)
    os.close(watched)
    other, _, _ = parent.spawn("d/c/0", iris_folder)
    assert other not in (first, pid, spare)


async def test_it_forks_servers_of_other_packages(parent: WarmParent, iris_folder: Path) -> None:
    """A graph's router is quickly there beside any predictor, and leaves it its spare."""
    first, asked, _ = parent.spawn("d/a/0", iris_folder)
    spare = _next_spare(parent, {first})
    step = {"serviceUrl": f"{asked}/v1/models/iris:predict"}
    graph = {"nodes": {"root": {"routerType": "Sequence", "steps": [step]}}}
    args = ["--graph-json", orjson.dumps(graph).decode(), "--graph_name=flow"]
    told = {"args": args, "module": "predictors.graph"}
    router, url, log = parent.start("d/flow/0", told)
    assert router not in (first, spare)
    assert spare in _children(parent)
    assert Path(f"/proc/{router}/comm").read_text() == "guest-graph\n"
    async with httpx.AsyncClient() as client:
        answer = await client.post(url, json=BODY)
    assert answer.json() == {"predictions": [0]}, log.read_text()
    assert len(os.listdir(f"/proc/{parent.process.pid}/task")) == 1
    os.kill(router, signal.SIGTERM)
    left = {"type": "exited", "id": "d/flow/0", "pid": router, "status": 0}
    assert parent.receive() == left


def test_a_package_that_is_not_there_fails_alone(parent: WarmParent, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        fds = [output.fileno(), output.fileno(), listener.fileno()]
        told = {"args": [], "env": {**os.environ}, "cwd": str(tmp_path), "module": "predictors.no"}
        parent.send({"type": "spawn", "id": "x", **told}, fds)
    assert parent.receive()["type"] == "spawned"
    assert parent.receive()["status"] == 1
    assert "No module named 'predictors.no'" in log.read_text()


def test_replicas_asked_for_at_once_all_start(parent: WarmParent, iris_folder: Path) -> None:
    pids = {parent.spawn(f"d/{number}/0", iris_folder)[0] for number in range(3)}
    assert len(pids) == 3
    assert pids <= _children(parent)


def _children(parent: WarmParent) -> set[int]:
    pid = parent.process.pid
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def _next_spare(parent: WarmParent, known: set[int]) -> int:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if new := _children(parent) - known:
            return new.pop()
        time.sleep(0.01)
    raise AssertionError("no new spare")


EXPECTING = """
import signal, sys
from predictors.serving.warm import run_warm_parent

class Runtime:
    name = "made-up"
    def warm(self): pass
    def rehearse(self): pass
    def expect(self, args, env): print("expected", *args, env["WHO"], flush=True)

sys.exit(run_warm_parent(Runtime(), lambda args: signal.pause() or 0))
"""


def test_a_parent_is_told_of_replicas_that_others_may_follow(tmp_path: Path) -> None:
    channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel.settimeout(30)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", EXPECTING],
            cwd=ROOT,
            env={**os.environ, "ROUSE_WARM_FD": str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
    try:
        assert orjson.loads(channel.recv(65536))["type"] == "ready"
        with socket.create_server(("127.0.0.1", 0)) as listener, open(os.devnull, "wb") as null:
            spawn = {
                "type": "spawn",
                "id": "d/a/0",
                "args": ["--model_dir=/m"],
                "env": {"WHO": "a"},
                "cwd": str(tmp_path),
            }
            fds = [null.fileno(), null.fileno(), listener.fileno()]
            socket.send_fds(channel, [orjson.dumps(spawn)], fds)
        assert orjson.loads(channel.recv(65536))["type"] == "spawned"
        assert process.stdout is not None
        assert process.stdout.readline() == "expected --model_dir=/m a\n"
    finally:
        channel.close()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
