"""Processes: started, stopped, reaped, and gone with their engine however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import uvloop

from rouse.embedded.node.orphans import MARK, end_orphans
from rouse.embedded.processes import ExecProcess, StartError, start_process
from tests.unit.node.harness import alive, gone

ENV = {"PATH": os.environ["PATH"]}


def shell(script: str) -> ExecProcess:
    return start_process(["sh", "-c", script], env=ENV, cwd="/")


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -9)])
async def test_exit_status(script: str, status: int) -> None:
    process = shell(script)
    assert await process.wait() == status
    assert not process.alive
    process.kill()
    process.signal(signal.SIGTERM)
    assert await process.stop(1) == status


def test_on_the_engines_event_loop() -> None:
    async def run() -> list[int]:
        return list(await asyncio.gather(*(shell(f"exit {code}").wait() for code in range(20))))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run()) == list(range(20))


async def test_the_whole_group_goes() -> None:
    process = shell("sleep 600 & echo $! > /proc/self/fd/1; wait")
    async with asyncio.timeout(5):
        while len(children := _group(process.pid)) < 2:
            await asyncio.sleep(0.01)
    await process.stop(5)
    for pid in children:
        await gone(pid)


async def test_what_a_leader_leaves_behind_is_killed() -> None:
    process = shell("sleep 600 & exit 0")
    await process.wait()
    async with asyncio.timeout(5):
        while _group(process.pid):
            await asyncio.sleep(0.01)


def _group(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == leader and alive(int(entry.name)):
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


@pytest.mark.parametrize(
    ("argv", "cwd", "reason"),
    [
        (["no-such-program"], "/", "CommandNotFound"),
        (["/etc/passwd"], "/", "CommandNotFound"),
        (["true"], "/no/such/folder", "StartError"),
        (["true", "a\0b"], "/", "StartError"),
    ],
)
async def test_what_cannot_start(argv: list[str], cwd: str, reason: str) -> None:
    with pytest.raises(StartError) as raised:
        start_process(argv, env=ENV, cwd=cwd)
    assert raised.value.reason == reason


def test_orphans_are_found_by_their_mark(tmp_path: Path) -> None:
    mine, other = (
        subprocess.Popen(["sleep", "600"], env={**ENV, MARK: str(home)})
        for home in (tmp_path, tmp_path / "other")
    )
    try:
        assert end_orphans(tmp_path) == 1
        assert mine.wait(5) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_nothing_survives_a_killed_engine(tmp_path: Path) -> None:
    """A real engine process with a forked and an exec'd replica, killed with SIGKILL."""
    engine = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_ENGINE)],
        stdout=subprocess.PIPE,
        env={**os.environ, "ENGINE_HOME": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        text=True,
    )
    assert engine.stdout is not None
    try:
        pids = [int(pid) for pid in engine.stdout.readline().split()]
        assert len(pids) == 3
        assert all(map(alive, pids))
    finally:
        engine.kill()
        engine.wait()
        engine.stdout.close()
    for pid in pids:
        asyncio.run(gone(pid))


_ENGINE = """
    import asyncio, os, uvloop
    from pathlib import Path
    from rouse.embedded.node import ImageTable, Node, NodePaths, WarmPool
    from tests.unit.node.harness import IMAGES, Watched, pod, unreachable_client

    async def main():
        paths = NodePaths(Path(os.environ["ENGINE_HOME"]), run=Path(os.environ["ENGINE_HOME"]))
        warm = WarmPool(paths)
        node = Node(unreachable_client(), paths, images=ImageTable(built_in=IMAGES), warm=warm)
        await node.start()
        watched = Watched(node, paths, warm)
        for name in ("warm", "server"):
            node.launch(pod("test/" + name, name))
        pids = [(await watched.ready(name)).containers[0].pid for name in ("warm", "server")]
        (parent,) = warm.parents()
        print(parent.process.pid, *pids, flush=True)
        await asyncio.sleep(600)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
"""
