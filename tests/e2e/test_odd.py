"""`rouse up` under odd conditions: strange homes, two at once, damaged files, broken frameworks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from perf.harness import Engine, engine, train_iris
from rouse.embedded.engine.proc import inspect
from rouse.kube.objects import Object
from rouse.kube.resources import PODS
from rouse.sdk import AsyncClient
from tests.e2e.support import ROW, isvc, until

_TOO_DEEP = "d" * 90


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine in a home with spaces, letters of other alphabets, and no room for sockets."""
    home = tmp_path_factory.mktemp("a home with späces") / _TOO_DEEP / "rouse's home"
    with engine(home) as up:
        train_iris(up)
        yield up


def test_a_home_with_spaces_and_too_deep_for_sockets_serves(odd: Engine) -> None:
    with odd.client() as rouse:
        rouse.apply(isvc("iris"))
        rouse.wait_ready("iris", timeout_s=60)
        assert rouse.predict("iris", ROW) == {"predictions": [0]}
    assert "iris" in odd.rouse("get", "isvc").stdout


@pytest.mark.parametrize("content", [b"", b"{", b"\0\xff", b"[1, 2]", b'{"pid": 1}'])
def test_a_damaged_state_file_hides_no_engine(odd: Engine, content: bytes) -> None:
    pid = odd.state.pid
    sound = odd.home.state_file.read_bytes()
    odd.home.state_file.write_bytes(content)
    try:
        assert odd.rouse("status").returncode == 0
        assert f"already up (pid {pid})" in odd.rouse("up").stdout
    finally:
        odd.home.state_file.write_bytes(sound)


def test_a_damaged_state_file_does_not_keep_the_engine_from_stopping(odd: Engine) -> None:
    pid = odd.state.pid
    odd.home.state_file.write_bytes(b"{")
    assert "is down" in odd.rouse("down").stdout
    assert inspect(pid) is None
    odd.home.state_file.write_bytes(b"{")
    odd.up()
    with odd.client() as rouse:
        assert rouse.predict("iris", ROW) == {"predictions": [0]}


def test_two_at_the_same_time_make_one_engine(odd: Engine) -> None:
    odd.down()
    ports = [f"--api-port={odd.api_port}", f"--gateway-port={odd.gateway_port}"]
    up = [sys.executable, "-m", "rouse", "up", *ports]
    both = [
        subprocess.Popen(
            up, env=odd.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [each.communicate(timeout=60) for each in both]
    pid = odd.state.pid
    assert 0 in [each.returncode for each in both]
    for each, (_, error) in zip(both, said, strict=True):
        if each.returncode:  # it came so late that the lock was taken, and says so
            assert "another engine is starting or running" in error
        assert "Traceback" not in error
    assert f"pid {pid}" in odd.rouse("up").stdout


async def test_a_warm_parent_without_its_framework_is_told_in_the_pod(odd: Engine) -> None:
    images = odd.home.root / "images.yaml"
    code = "import sys, framework_that_is_not_installed"
    images.write_text(
        "images:\n"
        "  example.com/unwarm:\n"
        f"    command: ['{{python}}', '-c', '{code}']\n"
        "    warm: true\n"
    )
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "unwarm", "namespace": "default"},
        "spec": {
            "nodeName": "rouse-local",
            "containers": [
                {
                    "name": "server",
                    "image": "example.com/unwarm:1",
                    "ports": [{"containerPort": 8080}],
                }
            ],
        },
    }
    async with AsyncClient(odd.home.kubeconfig, gateway=odd.gateway) as client:
        await client.kube.create(pod)

        def told(pods: list[Object]) -> bool:
            return any(
                "framework_that_is_not_installed" in str(one.get("status"))
                for one in pods
                if one["metadata"]["name"] == "unwarm"
            )

        await until(client.kube, PODS, told, timeout_s=30)
        await client.kube.delete(PODS, "unwarm", "default")
