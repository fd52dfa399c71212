"""The parts between the translation and Envoy: messages, files, endpoint table, quarantine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from rouse.embedded.mesh import MeshObjects, MeshPaths
from rouse.embedded.mesh.endpoints import EndpointTable
from rouse.embedded.mesh.files import DiscoveryFile
from rouse.embedded.mesh.quarantine import Quarantine
from rouse.embedded.mesh.wire import (
    ENDPOINTS_TYPE,
    DiscoveryRequest,
    FrameReader,
    encode_assignment,
    encode_response,
    frame,
)
from rouse.errors import ConfigError, EngineError
from rouse.kube.objects import Object, key_of
from tests.unit.mesh.harness import target, virtual_service

HERE = frozenset([("127.0.0.1", 1)])
THERE = frozenset([("127.0.0.1", 2)])


def test_assignment_on_the_wire() -> None:
    # by hand, after the encoding guide: cluster_name "c", one endpoint 127.0.0.1:300
    expected = b"\n\x01c\x12\x16\x12\x14\n\x12\n\x10\n\x0e\x12\t127.0.0.1\x18\xac\x02"
    assert encode_assignment("c", [("127.0.0.1", 300)]) == expected
    assert encode_assignment("c", []) == b"\n\x01c"


def test_response_on_the_wire() -> None:
    kind = ENDPOINTS_TYPE.encode()
    wrapped = b"\n" + bytes([len(kind)]) + kind + b"\x12\x03\n\x01c"
    expected = (
        b"\n\x01v"
        + (b"\x12" + bytes([len(wrapped)]) + wrapped)
        + (b"\x22" + bytes([len(kind)]) + kind)
        + b"*\x01n"
    )
    assert encode_response("v", "n", [encode_assignment("c", [])]) == expected


def test_request_from_the_wire() -> None:
    kind = ENDPOINTS_TYPE.encode()
    status = b"\x08\x03\x12\x03bad"
    message = (
        b"\n\x017"
        + b"\x12\x02\n\x00"  # node: skipped
        + b"\x1a\x01a\x1a\x01b"
        + (b"\x22" + bytes([len(kind)]) + kind)
        + b"*\x018"
        + (b"2" + bytes([len(status)]) + status)
    )
    assert DiscoveryRequest.decode(message) == DiscoveryRequest(
        ("a", "b"), ENDPOINTS_TYPE, version="7", nonce="8", error="bad"
    )


@pytest.mark.parametrize("message", [b"\n\xff", b"\n", b"\x0f", b"\x08" + b"\xff" * 12])
def test_what_is_no_message(message: bytes) -> None:
    with pytest.raises(EngineError):
        DiscoveryRequest.decode(message)


def test_frames_arrive_in_pieces() -> None:
    reader = FrameReader()
    stream = frame(b"one") + frame(b"") + frame(b"three")
    found = [message for byte in stream for message in reader.feed(bytes([byte]))]
    assert found == [b"one", b"", b"three"]
    with pytest.raises(EngineError):
        list(reader.feed(b"\x01\x00\x00\x00\x00"))


def test_a_file_is_written_when_it_differs(tmp_path: Path) -> None:
    file = DiscoveryFile(tmp_path / "cds.json")
    assert file.write([{"name": "a"}])
    first = file.path.stat().st_ino
    assert not file.write([{"name": "a"}])
    assert file.path.stat().st_ino == first
    assert file.write([{"name": "b"}])
    written = orjson.loads(file.path.read_bytes())
    assert written == {"version_info": file.version, "resources": [{"name": "b"}]}
    assert [one.name for one in tmp_path.iterdir()] == ["cds.json"]


def test_a_socket_path_that_is_too_long(tmp_path: Path) -> None:
    paths = MeshPaths(tmp_path, run=tmp_path / ("x" * 100), log=tmp_path / "log")
    with pytest.raises(ConfigError, match="ROUSE_HOME"):
        _ = paths.admin_socket


async def test_endpoints_are_in_effect_when_acknowledged() -> None:
    table = EndpointTable()
    table.set({"c": HERE})
    assert table.wanted("c#1") == HERE
    waiting = asyncio.create_task(table.effective(["c#1", "c#2"], 5))
    table.accept({"c#1": HERE})
    await asyncio.sleep(0)
    assert not waiting.done()
    table.accept({"c#2": HERE})
    assert await waiting
    table.set({"c": THERE})
    assert not await table.effective(["c#1"], 0.01)
    assert table.is_effective("c#1", HERE)
    table.retain(["c#2"])
    assert not table.is_effective("c#1", HERE)


async def test_quarantine_finds_the_culprits_and_lets_them_out() -> None:
    def named(name: str, rule: str) -> Object:
        return virtual_service(name, {"route": [target(rule)]})

    objects = MeshObjects(named(f"m{i}", "good") for i in range(50))
    quarantine = Quarantine(objects)
    attempts = 0

    async def attempt() -> str:
        nonlocal attempts
        attempts += 1
        bad = [obj for obj in quarantine.all("VirtualService") if obj["spec"]["http"][0] in refused]
        return "it is bad" if bad else ""

    refused = [named("x", "bad")["spec"]["http"][0]]
    await quarantine.publish(attempt)
    assert attempts == 1
    for i in range(20):
        objects.put(named(f"m{i}", "bad" if i in (3, 17) else "better"))
    objects.put(named("new", "bad"))
    await quarantine.publish(attempt)
    assert {one.key.name for one in quarantine.findings} == {"m3", "m17", "new"}
    assert all("it is bad" in one.message for one in quarantine.findings)
    shown = {key_of(one).name: one for one in quarantine.all("VirtualService")}
    assert len(shown) == 50
    assert "new" not in shown  # never accepted
    assert shown["m3"] == named("m3", "good")  # as it was before
    assert shown["m4"] == named("m4", "better")
    assert attempts < 40
    objects.put(named("m3", "best"))
    await quarantine.publish(attempt)
    assert {one.key.name for one in quarantine.findings} == {"m17", "new"}
