"""The small pure parts: reports, probes, backoff, ports."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.embedded.node.errors import PodSetupError
from rouse.embedded.node.notify import Failed, Phase, Ready, parse_report
from rouse.embedded.node.podports import PodPorts
from rouse.embedded.node.ports import FreePorts, listen, serving_container
from rouse.embedded.node.probes import Exec, HttpGet, Probe, TcpSocket, asks_known_port, parse_probe
from rouse.embedded.node.restarts import RestartBackoff

CONTAINER: dict[str, Any] = {"name": "c", "ports": [{"containerPort": 8080, "name": "http1"}]}


def test_reports() -> None:
    phase = parse_report(b'{"type":"phase","pid":1,"name":"load","seconds":0.5}')
    assert phase == Phase(1, "load", 0.5)
    assert parse_report(b'{"type":"ready","pid":1}') == Ready(1)
    assert parse_report(b'{"type":"failed","pid":1,"error":"no"}') == Failed(1, "no")


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\xff", b"[]", b"1", b"{}", b'{"type":"ready"}', b'{"type":"ready","pid":"1"}'),
        b'{"type":"ready","pid":true}',
        b'{"type":"phase","pid":1,"name":"load","seconds":-1}',
        b'{"type":"phase","pid":1,"name":"load","seconds":"1"}',
        b'{"type":"phase","pid":1,"name":"","seconds":1}',
        b'{"type":"other","pid":1}',
    ],
)
def test_what_is_no_report(data: bytes) -> None:
    assert parse_report(data) is None


@given(st.binary(max_size=200))
def test_any_datagram_is_survived(data: bytes) -> None:
    parse_report(data)


@pytest.mark.parametrize(
    ("spec", "action"),
    [
        ({"httpGet": {"path": "/ok", "port": 8080}}, HttpGet(40001, "/ok")),
        ({"httpGet": {"port": "http1", "scheme": "HTTPS"}}, HttpGet(40001, tls=True)),
        ({"httpGet": {"port": 0}}, HttpGet(40001)),
        ({"httpGet": {}}, HttpGet(40001)),
        ({"httpGet": {"port": "8080"}}, HttpGet(40001)),
        ({"httpGet": {"port": 7777}}, HttpGet(7777)),
        ({"tcpSocket": {"port": 8080}}, TcpSocket(40001)),
        ({"grpc": {"port": 8080}}, TcpSocket(40001)),
        ({"exec": {"command": ["true"]}}, Exec(("true",))),
        ({"successThreshold": 1}, TcpSocket(40001)),
        (None, TcpSocket(40001)),
    ],
)
def test_probe_actions(spec: dict[str, Any] | None, action: object) -> None:
    found = parse_probe(spec, container=CONTAINER, ports={8080: 40001}, default_port=8080)
    assert found is not None
    assert found.action == action


@pytest.mark.parametrize(
    ("probe", "known"),
    [
        (None, True),
        ({"tcpSocket": {"port": 1}}, True),
        ({"httpGet": {"path": "/"}}, True),
        ({"httpGet": {"port": 9000}}, True),
        ({"httpGet": {"port": "h2c"}}, True),
        ({"httpGet": {"port": 8080}}, False),
        ({"httpGet": {"port": "http"}}, False),
    ],
)
def test_a_probe_at_a_port_that_the_pod_does_not_declare_is_known(
    probe: dict[str, Any] | None, known: bool
) -> None:
    container = {"name": "c", "ports": [{"name": "h2c", "containerPort": 9000}]}
    assert asks_known_port(probe, container, {9000: 41000}) is known


def test_probe_numbers_and_absence() -> None:
    spec = {
        "periodSeconds": 2,
        "timeoutSeconds": 3,
        "initialDelaySeconds": 4,
        "failureThreshold": 5,
    }
    found = parse_probe(spec, container=CONTAINER, ports={}, default_port=8080)
    assert found == Probe(TcpSocket(8080), 4, 2, 3, 1, 5)
    assert parse_probe(None, container=CONTAINER, ports={}) is None
    with pytest.raises(PodSetupError, match="'admin' is neither"):
        parse_probe({"httpGet": {"port": "admin"}}, container=CONTAINER, ports={})


def test_backoff_doubles_and_starts_over_after_health() -> None:
    backoff = RestartBackoff()
    delays = [backoff.next(0) for _ in range(9)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.next(61) == 0.5
    assert backoff.next(0) == 1


def test_the_serving_container_is_the_first_with_ports() -> None:
    first, second = {"name": "a"}, {"name": "b", "ports": [{"containerPort": 1}]}
    assert serving_container({"spec": {"containers": [first, second]}}) == "b"
    assert serving_container({"spec": {"containers": [first]}}) == "a"
    assert serving_container({"spec": {}}) is None


def test_free_ports_are_not_repeated() -> None:
    free = FreePorts()
    taken = [free.take() for _ in range(50)]
    assert len(set(taken)) == 50
    assert free.take(taken[0]) == taken[0]
    with listen() as held:
        port = held.getsockname()[1]
        assert free.take(port) != port


def test_a_pods_ports_stay_its_own() -> None:
    more = {"containerPort": 9000}
    pod = {"spec": {"containers": [{"name": "c", "ports": [*CONTAINER["ports"], more]}]}}
    container = pod["spec"]["containers"][0]
    ports = PodPorts(pod, frozenset({"c"}), FreePorts())
    first = dict(ports.actual)
    assert set(first) == {8080, 9000}
    held = ports.listener(container)
    assert held is not None
    with held:
        assert held.getsockname() == ("127.0.0.1", first[8080])
        socket.create_connection(held.getsockname()).close()
    again = ports.listener(container)
    assert again is not None
    with again:
        assert again.getsockname()[1] == first[8080]
    ports.close()
    assert ports.actual == first
