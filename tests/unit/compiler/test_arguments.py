"""What servers around the predictor are told, and what they said themselves."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.inferenceservice import parse
from rouse.compiler.arguments import argument, caller_arguments, with_arguments
from rouse.compiler.collocation import collocate
from rouse.compiler.config import Config
from rouse.compiler.explainer import resolve_explainer
from rouse.compiler.grpcport import with_grpc_port
from rouse.compiler.transformer import resolve_transformer

Object = dict[str, Any]

ISVC = parse(
    {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris", "namespace": "ns"},
        "spec": {"predictor": {"sklearn": {}}},
    }
)


@pytest.mark.parametrize(
    ("args", "value"),
    [
        (["--http_port", "1"], "1"),
        (["--http_port=1"], "1"),
        (["--http_port=1", "--http_port", "2"], "2"),
        (["--http_port"], ""),
        (["--http_port_of_others=1"], None),
        ([], None),
    ],
)
def test_the_last_argument_of_a_name_counts(args: list[str], value: str | None) -> None:
    assert argument(args, "--http_port") == value


def test_a_transformer_is_told_what_it_does_not_say_itself() -> None:
    given: Object = {"name": "kserve-container", "args": ["--model_name=mine", "-x"]}
    sidecar: Object = {"name": "sidecar"}
    got = with_arguments([sidecar, given], caller_arguments(ISVC))
    assert got == [
        sidecar,
        {
            "name": "kserve-container",
            "args": [
                *("--model_name=mine", "-x"),
                *("--predictor_host", "iris-predictor.ns"),
                *("--http_port", "8080"),
            ],
        },
    ]
    assert given["args"] == ["--model_name=mine", "-x"]


def collocated(server: Object, transformer: Object) -> dict[str, Object]:
    pod = {
        "containers": [
            {"name": "kserve-container", **server},
            {"name": "transformer-container", **transformer},
        ]
    }
    return {each["name"]: each for each in collocate(ISVC, pod)["containers"]}


def test_requests_enter_a_collocated_pod_by_the_transformer() -> None:
    probe: Object = {"httpGet": {"path": "/", "port": 8080}}
    server: Object = {"ports": [{"containerPort": 8080}], "readinessProbe": probe}
    got = collocated(server, {})
    assert got["kserve-container"] == {
        "name": "kserve-container",
        "args": ["--http_port=8085"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8085}},
    }
    transformer = got["transformer-container"]
    assert transformer["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]
    assert argument(transformer["args"], "--predictor_host") == "localhost:8085"


@pytest.mark.parametrize(
    ("probe", "wanted"),
    [
        ({"httpGet": {"path": "/"}}, {"httpGet": {"path": "/", "port": 8085}}),
        ({"httpGet": {"port": "http1"}}, {"httpGet": {"port": 8085}}),
        ({"tcpSocket": {"port": 9000}}, {"tcpSocket": {"port": 9000}}),
        ({"exec": {"command": ["true"]}}, {"exec": {"command": ["true"]}}),
        ({"periodSeconds": 5}, {"periodSeconds": 5, "tcpSocket": {"port": 8085}}),
    ],
)
def test_a_pod_is_ready_when_its_model_server_is_too(probe: Object, wanted: Object) -> None:
    got = collocated({"readinessProbe": probe, "livenessProbe": {"exec": {}}}, {})
    assert got["kserve-container"]["readinessProbe"] == wanted
    assert "livenessProbe" not in got["kserve-container"]


def test_ports_that_do_not_meet_stay() -> None:
    got = collocated({"args": ["--http_port=9000"]}, {"ports": [{"containerPort": 8081}]})
    assert got["kserve-container"]["args"] == ["--http_port=9000"]
    transformer = got["transformer-container"]
    assert argument(transformer["args"], "--predictor_host") == "localhost:9000"
    assert argument(transformer["args"], "--http_port") == "8081"


@pytest.mark.parametrize(
    ("args", "told", "host"),
    [
        (["--http_port=8080"], ["--http_port=8085", "--grpc_port=8081"], "localhost:8081"),
        (["--http_port=8080", "--grpc_port=9000"], ["--http_port=8085"], "localhost:9000"),
    ],
)
def test_a_collocated_transformer_that_asks_grpc_is_told_its_port(
    args: list[str], told: list[str], host: str
) -> None:
    got = collocated({"args": args}, {"args": ["--protocol", "grpc-v2"]})
    assert got["kserve-container"]["args"] == [*args, *told]
    assert argument(got["transformer-container"]["args"], "--predictor_host") == host


@pytest.mark.parametrize(("transformer", "server"), [("8081", "8080"), ("8080", "8081")])
def test_a_pods_containers_share_its_ports(transformer: str, server: str) -> None:
    got = collocated(
        {"args": [f"--http_port={server}"]},
        {"args": [f"--http_port={transformer}", "--predictor_protocol=grpc-v2"]},
    )
    assert argument(got["kserve-container"]["args"], "--grpc_port") == "8086"
    assert argument(got["transformer-container"]["args"], "--predictor_host") == "localhost:8086"


def test_a_server_of_other_arguments_keeps_them() -> None:
    got = collocated(
        {"args": ["--grpc-port=9000"], "ports": [{"containerPort": 9000}]},
        {"args": ["--predictor_protocol=grpc-v2"]},
    )
    assert got["kserve-container"]["args"] == ["--grpc-port=9000"]
    assert argument(got["transformer-container"]["args"], "--predictor_host") == "localhost:9000"


PROBE: Object = {"periodSeconds": 5, "httpGet": {"path": "/v2/health/ready", "port": 8080}}


def test_a_port_named_for_grpc_is_served_and_probed() -> None:
    ports = [{"name": "h2c", "containerPort": 9000}]
    server: Object = {"args": ["--http_port=8080"], "ports": ports, "readinessProbe": PROBE}
    got = with_grpc_port(server)
    assert got["args"] == ["--http_port=8080", "--grpc_port=9000"]
    assert got["readinessProbe"] == {"periodSeconds": 5, "tcpSocket": {"port": 9000}}
    assert with_grpc_port(got) == got


@pytest.mark.parametrize(
    "server",
    [
        {"args": ["--http_port=8080"], "ports": [{"containerPort": 8080}], "readinessProbe": PROBE},
        {"args": ["--http_port=8080"]},
        {"args": ["--port=1"], "ports": [{"name": "h2c", "containerPort": 9000}]},
    ],
)
def test_other_servers_stay_as_they_are(server: Object) -> None:
    assert with_grpc_port(server) == server


@pytest.mark.parametrize("component", ["transformer", "explainer"])
def test_what_a_server_names_by_storage_uri_is_fetched_for_it(component: str) -> None:
    container = {
        "name": "kserve-container",
        "image": "example/server",
        "env": [{"name": "STORAGE_URI", "value": "s3://models/bert"}],
    }
    isvc = parse(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "bert", "namespace": "ns"},
            "spec": {"predictor": {"sklearn": {}}, component: {"containers": [container]}},
        }
    )
    if component == "transformer":
        assert isvc.spec.transformer is not None
        resolved = resolve_transformer(isvc, isvc.spec.transformer, Config())
    else:
        assert isvc.spec.explainer is not None
        resolved = resolve_explainer(isvc, isvc.spec.explainer, Config())
    source = "internal.serving.kserve.io/storage-initializer-sourceuri"
    assert resolved.annotations[source] == "s3://models/bert"
