"""A transformer and its model server in one pod: whose command is whose, and whose port."""

from __future__ import annotations

from typing import Any

from rouse.embedded.node.images import ImageTable
from rouse.embedded.node.pod import commands_of
from rouse.embedded.node.podports import PodPorts
from rouse.embedded.node.ports import FreePorts

POD: dict[str, Any] = {
    "metadata": {
        "name": "p",
        "annotations": {"embedded.rouse.dev/command": '["{python}", "-m", "predictors.sklearn"]'},
    },
    "spec": {
        "containers": [
            {
                "name": "kserve-container",
                "image": "ghcr.io/rouse/sklearnserver:v1",
                "args": ["--http_port=8080", "--http_port=8085"],
            },
            {
                "name": "transformer-container",
                "image": "ghcr.io/rouse/transformer:v1",
                "ports": [{"containerPort": 8080}],
            },
        ]
    },
}


def test_the_runtimes_command_is_that_of_the_model_server() -> None:
    commands = commands_of(POD, ImageTable(python="py"))
    assert commands["kserve-container"].argv == ("py", "-m", "predictors.sklearn")
    assert commands["transformer-container"].argv == ("py", "-m", "transformers_pre")


def test_a_model_server_without_declared_ports_has_the_one_it_is_told() -> None:
    ports = PodPorts(POD, frozenset({"kserve-container"}), FreePorts())
    server, transformer = POD["spec"]["containers"]
    assert set(ports.actual) == {8080, 8085}
    held = ports.listener(server)
    assert held is not None
    with held:
        assert held.getsockname()[1] == ports.actual[8085]
    assert ports.listener(transformer) is None
    ports.close()


def test_its_grpc_port_is_one_of_this_machine_too() -> None:
    server, transformer = POD["spec"]["containers"]
    pod = {"spec": {"containers": [{**server, "args": ["--grpc_port=8081"]}, transformer]}}
    ports = PodPorts(pod, frozenset(), FreePorts())
    assert set(ports.actual) == {8080, 8081}
    ports.close()
