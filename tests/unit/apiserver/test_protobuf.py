"""Bodies as recent kubectl sends them; the bytes are built here by the wire format's own rules."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from rouse.embedded.apiserver.errors import StatusError
from rouse.embedded.apiserver.protobuf import MEDIA_TYPE, decode_protobuf
from rouse.embedded.apiserver.protobuf.kinds import KINDS, MESSAGES


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def part(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    body = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(body)) + body


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    types = part(1, part(1, api_version) + part(2, kind))
    return b"k8s\x00" + types + part(2, raw) + part(3, "") + part(4, "")


def pair(number: int, key: str, value: bytes | str) -> bytes:
    return part(number, part(1, key) + part(2, value))


NAME = part(1, part(1, "a") + part(2, "") + part(7, 0) + pair(11, "l", "x") + part(8, b""))


def test_text_maps_and_bytes() -> None:
    raw = NAME + pair(2, "k", b"\x00\xff") + part(3, "Opaque")
    assert decode_protobuf(envelope("v1", "Secret", raw)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "labels": {"l": "x"}},
        "data": {"k": base64.b64encode(b"\x00\xff").decode()},
        "type": "Opaque",
    }


def test_pointers_keep_their_zero_and_others_do_not() -> None:
    container = part(1, "c") + part(2, "i") + part(8, b"") + part(18, 0)
    template = part(2, part(2, container) + part(3, ""))
    spec = part(1, 0) + part(3, template) + part(5, 0)
    decoded = decode_protobuf(envelope("apps/v1", "Deployment", NAME + part(2, spec)))
    assert decoded["spec"] == {
        "replicas": 0,
        "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}},
    }


def test_ports_times_and_quantities() -> None:
    port = part(3, 80) + part(4, part(1, 1) + part(2, 0) + part(3, "http"))
    decoded = decode_protobuf(envelope("v1", "Service", NAME + part(2, part(1, port))))
    assert decoded["spec"]["ports"] == [{"port": 80, "targetPort": "http"}]
    quota = part(2, pair(1, "cpu", part(1, "2")))
    decoded = decode_protobuf(envelope("v1", "ResourceQuota", NAME + quota))
    assert decoded["spec"]["hard"] == {"cpu": "2"}
    stamped = part(1, part(8, part(1, 1_767_225_600)))
    decoded = decode_protobuf(envelope("v1", "Namespace", stamped))
    assert decoded["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
    negative = part(2, -5)
    decoded = decode_protobuf(envelope("scheduling.k8s.io/v1", "PriorityClass", negative))
    assert decoded["value"] == -5


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", 400),
        (b"k8s\x00\xff", 400),
        (envelope("v1", "Secret", b"\x0a\xff"), 400),
        (envelope("v1", "Secret", part(3, b"\xff\xfe")), 400),
        (envelope("v1", "Secret", part(1, 7)), 400),
        (envelope("v1", "Secret", part(99, "x")), 415),
        (envelope("v1", "Node", b""), 415),
    ],
)
def test_what_is_damaged_or_unknown(body: bytes, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        decode_protobuf(body)
    assert caught.value.status == code


def test_every_message_a_table_names_is_there() -> None:
    scalars = {"string", "int", "bool", "bytes", "time", "quantity", "int-or-string"}
    named: set[str] = {field.type for table in MESSAGES.values() for field in table.values()}
    assert named - scalars <= set(MESSAGES)
    assert {kind for _, kind in KINDS} <= set(MESSAGES)


async def test_a_create_and_a_delete(api: httpx.AsyncClient) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    headers = {"content-type": MEDIA_TYPE, "accept": f"{MEDIA_TYPE},application/json"}
    body = envelope("v1", "ConfigMap", NAME + pair(2, "k", "v"))
    created = await api.post(path, content=body, headers=headers)
    assert created.status_code == 201
    obj: dict[str, Any] = created.json()
    assert obj["data"] == {"k": "v"}
    options = envelope("v1", "DeleteOptions", part(2, part(1, "another")))
    refused = await api.request("DELETE", f"{path}/a", content=options, headers=headers)
    assert refused.status_code == 409
    options = envelope("v1", "DeleteOptions", part(2, part(1, obj["metadata"]["uid"])))
    gone = await api.request("DELETE", f"{path}/a", content=options, headers=headers)
    assert gone.status_code == 200
