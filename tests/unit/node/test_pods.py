"""Pods as processes, with the API away: what ``launch`` starts lives by itself."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket

import pytest

from rouse.embedded.node import NodePaths
from tests.unit.node.harness import MakePod, Watched, alive, answer, gone


@pytest.mark.parametrize("image", ["test/warm:v1", "test/listener:v1", "test/server:v1"])
async def test_launch_serves_and_stops(
    watched: Watched, make_pod: MakePod, paths: NodePaths, image: str
) -> None:
    watched.node.launch(make_pod(image))
    state = await watched.ready()
    assert (state.phase, state.host, state.reason) == ("Running", "127.0.0.1", "")
    assert (await answer(state)).endswith(" iris")
    assert {"process", "ready"} <= set(state.timings)
    pid = state.containers[0].pid
    await watched.node.stop_pod("default", "iris-1", 5)
    assert watched.node.status("default", "iris-1") is None
    assert not alive(pid)
    assert not paths.pod("default", "iris-1").exists()
    assert not paths.pod_log("default", "iris-1").exists()
    # Nobody listens for a process that is gone: a listener would keep all of its pod in memory.
    assert watched.node._notify.listeners == 0


async def test_timings_add_up_and_carry_the_reports(watched: Watched, make_pod: MakePod) -> None:
    watched.node.launch(make_pod())
    state = await watched.ready()
    assert set(state.timings) == {"process", "load", "ready"}
    assert state.timings["load"] == 0.001
    assert all(seconds >= 0 for seconds in state.timings.values())


async def test_the_first_answer_ends_the_timings(watched: Watched, make_pod: MakePod) -> None:
    watched.node.launch(make_pod())
    pid = (await watched.ready()).containers[0].pid
    told = json.dumps({"type": "answered", "pid": pid}).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(str(watched.node._notify.path))
        channel.send(told)
        first = await watched.until(lambda s: "answer" in s.timings)
        channel.send(told)
        watched.node._notify.receive()
    assert first.timings["answer"] > 0
    again = watched.node.status("default", "iris-1")
    assert again is not None
    assert again.timings["answer"] == first.timings["answer"]


async def test_launch_is_idempotent(watched: Watched, make_pod: MakePod) -> None:
    watched.node.launch(make_pod())
    pid = (await watched.ready()).containers[0].pid
    watched.node.launch(make_pod())
    assert (await watched.ready()).containers[0].pid == pid


async def test_the_log_is_a_cri_file(watched: Watched, make_pod: MakePod, paths: NodePaths) -> None:
    watched.node.launch(make_pod(env=[{"name": "HELLO", "value": "world"}]))
    state = await watched.until(lambda s: s.ready and bool(s.log_tail))
    assert state.log_tail == ("serving iris HELLO=world",)
    file = paths.container_log("default", "iris-1", "kserve-container", 0)
    line = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z stdout F serving iris HELLO=world\n"
    assert re.fullmatch(line, file.read_text())


async def test_a_crash_is_restarted_with_backoff(watched: Watched, make_pod: MakePod) -> None:
    watched.node.launch(make_pod("test/warm", "iris-1", "--behave=exit"))
    state = await watched.until(lambda s: s.restarts >= 2 and bool(s.reason))
    assert not state.ready
    assert state.reason == "CrashLoopBackOff"
    assert "exit code 3" in state.message
    assert "last words" in state.message
    last = state.containers[0].last
    assert last is not None
    assert (last.exit_code, last.reason) == (3, "Error")
    assert {s.ready for s in watched.states} == {False}


async def test_a_served_replica_that_dies_comes_back_on_its_port(
    watched: Watched, make_pod: MakePod
) -> None:
    watched.node.launch(make_pod())
    first = await watched.ready()
    os.kill(first.containers[0].pid, signal.SIGKILL)
    second = await watched.until(lambda s: s.ready and s.restarts == 1)
    assert second.port == first.port
    assert second.containers[0].last is not None
    assert second.containers[0].last.signal == signal.SIGKILL
    assert second.containers[0].last.exit_code == 137
    assert (await answer(second)).endswith(" iris")


async def test_a_reported_failure_is_the_message(watched: Watched, make_pod: MakePod) -> None:
    watched.node.launch(make_pod("test/warm", "iris-1", "--behave=fail"))
    state = await watched.until(lambda s: s.reason == "CrashLoopBackOff")
    assert "the model is broken" in state.message


async def test_a_stubborn_replica_is_killed(watched: Watched, make_pod: MakePod) -> None:
    watched.node.launch(make_pod("test/warm", "iris-1", "--behave=stubborn"))
    pid = (await watched.ready()).containers[0].pid
    async with asyncio.timeout(3):
        await watched.node.stop_pod("default", "iris-1", 0.2)
    assert not alive(pid)


async def test_a_second_stop_with_less_grace_wins(watched: Watched, make_pod: MakePod) -> None:
    watched.node.launch(make_pod("test/server", "iris-1", "--behave=stubborn"))
    await watched.ready()
    patient = asyncio.create_task(watched.node.stop_pod("default", "iris-1", 30))
    await watched.until(lambda s: s.terminating)
    async with asyncio.timeout(5):
        await watched.node.stop_pod("default", "iris-1", 0)
        await patient


async def test_an_unready_http_probe_holds_readiness_back(
    watched: Watched, make_pod: MakePod
) -> None:
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    watched.node.launch(make_pod("test/warm", "iris-1", "--behave=sick", readinessProbe=probe))
    state = await watched.until(lambda s: s.phase == "Running")
    await asyncio.sleep(0.1)
    state = await watched.until(lambda s: s.phase == "Running")
    assert not state.ready


async def test_a_silent_listener_is_not_ready_because_its_port_is_open(
    watched: Watched, make_pod: MakePod
) -> None:
    watched.node.launch(make_pod("test/listener", "iris-1", "--behave=silent"))
    state = await watched.until(lambda s: bool(s.log_tail) and s.port is not None)
    assert not state.ready


async def test_liveness_restarts(watched: Watched, make_pod: MakePod) -> None:
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 0.05, "failureThreshold": 2}
    watched.node.launch(make_pod("test/warm", "iris-1", "--behave=sick", livenessProbe=probe))
    state = await watched.until(lambda s: s.restarts == 1)
    last = state.containers[0].last
    assert last is not None
    assert last.message == "Liveness probe failed: HTTP status 500 at /"


async def test_startup_probe_gives_up(watched: Watched, make_pod: MakePod) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 0.05, "failureThreshold": 2}
    watched.node.launch(make_pod("test/warm", startupProbe=probe))
    state = await watched.until(lambda s: s.restarts == 1)
    assert state.containers[0].last is not None
    assert "Startup probe failed: false ended with 1" in state.containers[0].last.message


async def test_no_local_command_waits_and_starts_when_added(
    watched: Watched, make_pod: MakePod, paths: NodePaths
) -> None:
    watched.node.launch(make_pod("docker.io/me/mine:v2"))
    state = await watched.until(lambda s: s.reason == "NoLocalCommand")
    assert str(paths.images_file) in state.message
    assert '"docker.io/me/mine"' in state.message
    assert state.phase == "Pending"
    command = json.dumps(watched.command)
    paths.images_file.write_text(f'images: {{"docker.io/me/mine": {{"command": {command}}}}}')
    await watched.ready()


async def test_a_missing_claim_is_named_and_waited_for(
    watched: Watched, make_pod: MakePod, paths: NodePaths
) -> None:
    pod = make_pod(volumeMounts=[{"name": "models", "mountPath": "/mnt/models"}])
    pod["spec"]["volumes"] = [{"name": "models", "persistentVolumeClaim": {"claimName": "mine"}}]
    watched.node.launch(pod)
    state = await watched.until(lambda s: s.reason == "VolumeNotFound")
    folder = paths.claim("default", "mine")
    assert f"mkdir -p {folder}" in state.message
    folder.mkdir(parents=True)
    await watched.ready()


async def test_init_containers_run_in_order_before_the_others(
    watched: Watched, make_pod: MakePod, paths: NodePaths
) -> None:
    pod = make_pod()
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    pod["spec"]["volumes"] = [{"name": "shared", "emptyDir": {}}]
    pod["spec"]["initContainers"] = [
        {
            "name": "one",
            "image": "test/shell",
            "args": ["echo 1 > /shared/f"],
            "volumeMounts": mounts,
        },
        {"name": "two", "image": "test/shell", "args": ["cat /shared/f"], "volumeMounts": mounts},
    ]
    watched.node.launch(pod)
    state = await watched.ready()
    assert [c.state for c in state.init_containers] == ["terminated", "terminated"]
    assert state.initialized
    log = paths.container_log("default", "iris-1", "two", 0).read_text()
    assert log.endswith("stdout F 1\n")


async def test_containers_of_a_pod_find_each_other_by_port(
    watched: Watched, make_pod: MakePod
) -> None:
    pod = make_pod()
    talk = "echo asks http://127.0.0.1:8080; exec sleep 60"
    pod["spec"]["containers"].append({"name": "side", "image": "test/shell", "args": [talk]})
    pod["spec"]["containers"][1]["args"] = ["echo $0; exec sleep 60", "http://127.0.0.1:8080"]
    watched.node.launch(pod)
    state = await watched.ready()
    side = state.containers[1]
    assert side.ready
    path = watched.paths.container_log("default", "iris-1", "side", 0)
    assert path.read_text().endswith(f"http://127.0.0.1:{state.port}\n")
    await watched.node.stop_pod("default", "iris-1", 5)
    await gone(side.pid)


async def test_restart_policy_never(watched: Watched, make_pod: MakePod) -> None:
    pod = make_pod("test/shell", args=["exit 4"], ports=[])
    pod["spec"]["restartPolicy"] = "Never"
    watched.node.launch(pod)
    state = await watched.until(lambda s: s.phase == "Failed")
    assert state.containers[0].ended is not None
    assert state.containers[0].ended.exit_code == 4


async def test_huge_lines_are_cut_into_pieces(watched: Watched, make_pod: MakePod) -> None:
    watched.node.launch(make_pod("test/warm", "iris-1", "--behave=huge"))
    await watched.ready()
    file = watched.paths.container_log("default", "iris-1", "kserve-container", 0)
    lines = file.read_bytes().splitlines()
    assert sum(b" P " in line for line in lines) == 200_000 // (16 << 10)
    assert max(map(len, lines)) < (16 << 10) + 60


async def test_garbage_on_the_notify_socket_is_ignored(
    watched: Watched, make_pod: MakePod, paths: NodePaths
) -> None:
    watched.node.launch(make_pod("test/listener", "iris-1", "--behave=silent"))
    pid = (await watched.until(lambda s: s.phase == "Running")).containers[0].pid
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(str(paths.notify_socket))
        for datagram in (b"", b"\xff\xfe", b"[]", b"{}", b'{"type":"ready"}', b'{"pid":true}'):
            channel.send(datagram)
        for unknown in range(10_000_000, 10_001_000):
            channel.send(json.dumps({"type": "ready", "pid": unknown}).encode())
            await asyncio.sleep(0)
        channel.send(
            json.dumps({"type": "phase", "pid": pid, "name": "load", "seconds": 2}).encode()
        )
        channel.send(json.dumps({"type": "ready", "pid": pid}).encode())
    state = await watched.ready()
    assert state.timings["load"] == 2


async def test_stop_while_starting_leaves_nothing(watched: Watched, make_pod: MakePod) -> None:
    for number in range(20):
        watched.node.launch(make_pod(name=f"p{number}"))
        for _ in range(number % 7):
            await asyncio.sleep(0)
        await watched.node.stop_pod("default", f"p{number}", 1)
        assert watched.node.status("default", f"p{number}") is None
    assert {s.name for s in watched.states if s.ready} == set()
    pids = {c.pid for s in watched.states for c in s.containers if c.pid}
    for pid in pids:
        await gone(pid)
