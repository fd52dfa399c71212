"""The real process: TLS, tokens, restarts, kill -9 in the middle of writes."""

from __future__ import annotations

import itertools
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import orjson
import pytest

from tests.unit.apiserver.process import ServerProcess, free_port, running

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def test_it_serves_and_stops_quietly(tmp_path: Path) -> None:
    with running(tmp_path / "home") as server:
        assert server.ready == f"ready https://127.0.0.1:{server.port}\n"
        with server.client() as client:
            assert client.post(CONFIG_MAPS, json={"metadata": {"name": "a"}}).status_code == 201
            bearer = client.headers.pop("authorization")
            refused = client.get(CONFIG_MAPS)
            assert refused.status_code == 401
            assert refused.json()["reason"] == "Unauthorized"
            assert client.get("/healthz").text == "ok"
            assert client.get("/version").status_code == 200
            assert client.get(CONFIG_MAPS, headers={"authorization": bearer}).status_code == 200
        assert server.process.stdout is not None
        assert server.stop() == 0


def test_state_survives_and_the_start_is_short(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(home) as server:
        with server.client() as client:
            created = client.post(CONFIG_MAPS, json={"metadata": {"name": "a"}}).json()
        server.stop()
    began = time.monotonic()
    with running(home) as server:
        took = time.monotonic() - began
        with server.client() as client:
            assert client.get(f"{CONFIG_MAPS}/a").json() == created
    assert took < 5, f"the start took {took:.1f} s"


def test_a_port_in_use_is_a_clear_error(tmp_path: Path) -> None:
    with running(tmp_path / "one") as server:
        second = subprocess.run(
            [
                sys.executable,
                "-m",
                "rouse.embedded.apiserver",
                f"--home={tmp_path / 'two'}",
                f"--port={server.port}",
            ],
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert second.returncode == 3
    assert f"port {server.port} on 127.0.0.1 is in use" in second.stderr
    assert "Traceback" not in second.stderr
    assert second.stdout == ""


def test_a_home_in_use_is_a_clear_error(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(home) as server:
        second = subprocess.run(
            [
                sys.executable,
                "-m",
                "rouse.embedded.apiserver",
                f"--home={home}",
                f"--port={free_port()}",
            ],
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert second.returncode == 1
        assert "Another rouse engine" in second.stderr
        with server.client() as client:
            assert client.get("/readyz").status_code == 200


def test_tls_1_2_is_spoken(tmp_path: Path) -> None:
    with running(tmp_path / "home") as server:
        context = ssl.create_default_context(cafile=str(server.home / "pki" / "ca.crt"))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with httpx.Client(base_url=f"https://127.0.0.1:{server.port}", verify=context) as client:
            assert client.get("/healthz").status_code == 200


def test_a_watch_streams_over_the_wire_and_ends_with_the_server(tmp_path: Path) -> None:
    with (
        running(tmp_path / "home") as server,
        server.client() as client,
        client.stream("GET", CONFIG_MAPS, params={"watch": "1"}) as watch,
    ):
        lines = watch.iter_lines()
        with server.client() as writer:
            writer.post(CONFIG_MAPS, json={"metadata": {"name": "a"}})
        event = orjson.loads(next(lines))
        while event["object"]["metadata"]["name"] != "a":
            event = orjson.loads(next(lines))
        assert event["type"] == "ADDED"
        assert server.stop() == 0
        assert list(lines) == []


def test_paths_with_special_characters(tmp_path: Path) -> None:
    with running(tmp_path / "home") as server, server.client() as client:
        roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        made = client.post(roles, json={"metadata": {"name": "system:a b"}})
        assert made.status_code == 201, made.text
        assert client.get(f"{roles}/system%3Aa%20b").json()["metadata"]["name"] == "system:a b"
        found = client.get(CONFIG_MAPS, params={"labelSelector": "a in (b,c),d!=e"})
        assert found.status_code == 200


@pytest.mark.parametrize("kills", [3])
def test_no_acknowledged_write_is_lost_by_kill_9(tmp_path: Path, kills: int) -> None:
    """Writers create and update while the process is killed; what was answered must be there."""
    home = tmp_path / "home"
    acknowledged: dict[str, int] = {}
    newest = 0
    for round_number in range(kills):
        with running(home) as server:
            with server.client() as client:
                found = _check(client, acknowledged)
                assert found >= newest
            writers = [
                threading.Thread(target=_write, args=(server, f"r{round_number}w{n}", acknowledged))
                for n in range(6)
            ]
            for writer in writers:
                writer.start()
            target = len(acknowledged) + 120
            deadline = time.monotonic() + 15
            while len(acknowledged) < target and time.monotonic() < deadline:
                time.sleep(0.005)
            server.kill()
            for writer in writers:
                writer.join(15)
            newest = max(acknowledged.values())
    assert len(acknowledged) >= 100 * kills
    with running(home) as server, server.client() as client:
        assert _check(client, acknowledged) >= newest


def _write(server: ServerProcess, prefix: str, acknowledged: dict[str, int]) -> None:
    with server.client() as client:
        try:
            for number in itertools.count():
                name = f"{prefix}-{number}"
                created = client.post(CONFIG_MAPS, json={"metadata": {"name": name}})
                assert created.status_code == 201
                acknowledged[name] = int(created.json()["metadata"]["resourceVersion"])
                changed = client.patch(
                    f"{CONFIG_MAPS}/{name}",
                    content=b'{"data": {"k": "v"}}',
                    headers={"content-type": "application/merge-patch+json"},
                )
                acknowledged[name] = int(changed.json()["metadata"]["resourceVersion"])
        except httpx.TransportError:
            return


def _check(client: httpx.Client, acknowledged: dict[str, int]) -> int:
    """Every acknowledged object is there, in that state or a newer one; the list's revision."""
    listed = client.get(CONFIG_MAPS).json()
    stored = {
        item["metadata"]["name"]: int(item["metadata"]["resourceVersion"])
        for item in listed["items"]
    }
    lost = {
        name: revision for name, revision in acknowledged.items() if stored.get(name, -1) < revision
    }
    assert not lost
    return int(listed["metadata"]["resourceVersion"])
