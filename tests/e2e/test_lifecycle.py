"""`rouse up`, `down`, `status`; what survives them and what must not."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator

import pytest

from perf.harness import Engine, engine, train_iris
from rouse.embedded.engine.proc import descendants
from rouse.embedded.engine.report import report
from rouse.errors import UnavailableError
from tests.e2e.support import ROW, isvc


@pytest.fixture(scope="module")
def own() -> Iterator[Engine]:
    """An engine that these tests may stop and kill."""
    with engine() as up:
        train_iris(up)
        yield up


def await_death(pids: list[int]) -> list[int]:
    """Wait for processes to end, up to 10 s altogether; those that did not."""
    left = []
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        if not select.select([handle], [], [], 10)[0]:
            left.append(pid)
        os.close(handle)
    return left


def test_up_twice_is_said_and_harmless(own: Engine) -> None:
    again = own.rouse("up")
    assert "already up" in again.stdout
    assert str(own.home.kubeconfig) in again.stdout


def test_status_names_every_part(own: Engine) -> None:
    shown = own.rouse("status").stdout
    for part in ("engine", "api", "controllers", "gateway", "warm sklearn"):
        assert part in shown
    assert f":{own.gateway_port}" in shown


def test_a_port_in_use_names_the_port_and_its_holder(own: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = [sys.executable, "-m", "rouse", "up", f"--gateway-port={port}"]
        refused = own.command(["env", f"ROUSE_HOME={own.home.root}-other", *up], check=False)
    assert refused.returncode == 1
    assert f"port {port}" in refused.stderr
    assert f"pid {os.getpid()}" in refused.stderr
    assert "--gateway-port" in refused.stderr


def test_state_survives_down_and_up_and_nothing_is_left_running(own: Engine) -> None:
    with own.client() as rouse:
        rouse.apply(isvc("kept"))
        rouse.wait_ready("kept", timeout_s=60)
    family = [own.state.pid, *(process.pid for process in descendants(own.state.pid))]
    own.down()
    assert await_death(family) == []
    assert own.rouse("status", check=False).returncode == 3
    assert "was not running" in own.rouse("down").stdout
    own.up()
    with own.client() as rouse:
        assert rouse.predict("kept", ROW) == {"predictions": [0]}


def test_state_survives_kill_9_and_nothing_is_left_running(own: Engine) -> None:
    with own.client() as rouse:
        rouse.apply(isvc("durable"))
        rouse.wait_ready("durable", timeout_s=60)
    family = [own.state.pid, *(process.pid for process in descendants(own.state.pid))]
    os.kill(own.state.pid, signal.SIGKILL)
    assert await_death(family) == []
    own.up()
    with own.client() as rouse:
        assert rouse.predict("durable", ROW) == {"predictions": [0]}


@pytest.mark.parametrize("part", ["api", "controllers", "gateway"])
def test_a_part_that_dies_is_started_again(own: Engine, part: str) -> None:
    before = report(own.home)
    assert before is not None
    pid = next(found.pid for found in before.parts if found.name == part)
    os.kill(pid, signal.SIGKILL)
    assert await_death([pid]) == []
    with own.client() as rouse:
        wanted = isvc(f"after-{part}")
        eventually_apply(own, wanted)
        rouse.wait_ready(f"after-{part}", timeout_s=60)
        assert rouse.predict(f"after-{part}", ROW) == {"predictions": [0]}


def eventually_apply(own: Engine, wanted: dict[str, object]) -> None:
    """Apply, asking again while the API is coming back."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with own.client() as rouse:
                rouse.apply(wanted)
            return
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
