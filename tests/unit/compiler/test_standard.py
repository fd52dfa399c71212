"""The mode Standard: Deployments, Services and routes."""

from __future__ import annotations

import pytest

from rouse.compiler import Config
from rouse.embedded.apiserver.schema import schema_for_builtin
from tests.unit.compiler.standard import KSERVE, Object, compiled, found, kinds


def test_what_a_predictor_becomes() -> None:
    result = compiled()
    assert kinds(result) == [
        "Deployment iris-predictor",
        "Service iris-predictor",
        "HorizontalPodAutoscaler iris-predictor",
        "Service iris",
        "VirtualService iris",
    ]
    deployment = found(result, "Deployment")
    assert "replicas" not in deployment["spec"]
    template = deployment["spec"]["template"]
    assert (
        template["metadata"]["labels"].items()
        >= deployment["spec"]["selector"]["matchLabels"].items()
    )
    [container] = template["spec"]["containers"]
    assert container["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]
    assert container["readinessProbe"] == {"tcpSocket": {"port": 8080}, **PACE}
    service = found(result, "Service")
    assert service["spec"]["selector"] == {"app": "isvc.iris-predictor"}
    assert service["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}
    ]


def test_numbers_of_a_rolling_update_may_be_quoted() -> None:
    given = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "0", "maxSurge": "50%"}}
    spec = found(compiled({"deploymentStrategy": given}), "Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "50%"}
    recreate = found(compiled({"deploymentStrategy": {"type": "Recreate"}}), "Deployment")["spec"]
    assert recreate["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("autoscaler", ["hpa", "none"])
def test_the_objects_fit_kubernetes_own_schemas(autoscaler: str) -> None:
    result = compiled(
        {"maxReplicas": 3, "deploymentStrategy": {"type": "Recreate"}},
        annotations={f"{KSERVE}autoscalerClass": autoscaler},
        transformer={"containers": [{"name": "t", "image": "i"}]},
    )
    for obj in result.objects:
        group, _, version = obj["apiVersion"].rpartition("/")
        if obj["kind"] in ("Deployment", "Service", "HorizontalPodAutoscaler"):
            assert version in ("v1", "v2")
            schema = schema_for_builtin(group, obj["kind"])
            assert schema.validate(obj) == []


PACE: Object = {"periodSeconds": 1, "failureThreshold": 30}


@pytest.mark.parametrize(
    ("probe", "wanted"),
    [
        ({"httpGet": {"path": "/ready"}}, {"httpGet": {"path": "/ready", "port": 9000}, **PACE}),
        ({"httpGet": {"path": "/r", "port": 1}}, {"httpGet": {"path": "/r", "port": 1}, **PACE}),
        ({"periodSeconds": 3}, {"periodSeconds": 3, "tcpSocket": {"port": 9000}}),
        ({"exec": {"command": ["true"]}}, {"exec": {"command": ["true"]}}),
    ],
)
def test_probes_get_the_port_that_knative_would_fill_in(probe: Object, wanted: Object) -> None:
    container = {
        "name": "c",
        "image": "i",
        "ports": [{"containerPort": 9000, "name": "h2c"}, {"containerPort": 8082}],
        "readinessProbe": probe,
    }
    result = compiled({"containers": [container]})
    [got] = found(result, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert got["readinessProbe"] == wanted
    first, second = found(result, "Service")["spec"]["ports"]
    assert (first["name"], first["targetPort"]) == ("h2c", 9000)
    assert first["appProtocol"] == "kubernetes.io/h2c"
    assert (second["name"], second["port"], second["targetPort"]) == ("port-8082", 8082, 8082)


def test_a_logger_of_a_foreign_server_takes_the_requests_first() -> None:
    service = found(compiled({"logger": {"url": "http://sink"}}), "Service")
    assert service["spec"]["ports"][0]["targetPort"] == 9081


@pytest.mark.parametrize(
    ("default", "annotation", "headless"),
    [(False, None, False), (True, None, True), (True, "false", False), (False, "true", True)],
)
def test_the_annotation_about_headless_services_wins(
    default: bool, annotation: str | None, headless: bool
) -> None:
    result = compiled(
        annotations={"rouse.dev/headless-service": annotation} if annotation else None,
        config=Config(service_cluster_ip_none=default),
    )
    assert (found(result, "Service")["spec"].get("clusterIP") == "None") == headless


def test_a_headless_service_is_asked_for_by_annotation() -> None:
    result = compiled(annotations={"rouse.dev/headless-service": "true"})
    assert found(result, "Service")["spec"]["clusterIP"] == "None"


def test_routes_lead_to_explainer_and_transformer() -> None:
    result = compiled(
        transformer={"containers": [{"name": "t", "image": "i"}], "timeout": 9},
        explainer={"containers": [{"name": "e", "image": "i"}]},
    )
    spec = found(result, "VirtualService", "iris")["spec"]
    assert spec["hosts"] == ["iris.ns.svc.cluster.local", "iris.ns.example.com"]
    explain, rest = spec["http"]
    assert explain["match"][0]["uri"]["regex"].endswith("(:explain|/explain)$")
    hosts = [rule["route"][0]["destination"]["host"] for rule in (explain, rest)]
    assert hosts == [
        "iris-explainer.ns.svc.cluster.local",
        "iris-transformer.ns.svc.cluster.local",
    ]
    assert "match" not in rest
    assert rest["timeout"] == "9s"
    assert rest["headers"]["request"]["set"]["Host"] == hosts[1]


def test_no_ingress() -> None:
    result = compiled(config=Config(disable_ingress_creation=True))
    assert "VirtualService iris" not in kinds(result)
    assert result.status["url"] == "http://iris-predictor.ns.svc.cluster.local"
