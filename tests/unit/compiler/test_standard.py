"""The mode Standard: Deployments, Services, autoscalers, routes, and the status they give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from rouse.api.inferenceservice import default, parse
from rouse.compiler import Compiled, Config, Observed, RuntimeSet
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.config import OtelCollector
from rouse.compiler.errors import CompileError
from rouse.compiler.explainer import resolve_explainer
from rouse.compiler.predictor import resolve_predictor
from rouse.compiler.standard import compile_standard
from rouse.compiler.transformer import resolve_transformer
from rouse.embedded.apiserver.schema import schema_for_builtin

Object = dict[str, Any]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HASH = "rouse.dev/template-hash"
KSERVE = "serving.kserve.io/"


def compiled(
    predictor: Object | None = None,
    *,
    annotations: Mapping[str, str] | None = None,
    config: Config | None = None,
    deployments: Mapping[str, Object] | None = None,
    before: Object | None = None,
    **spec: Any,
) -> Compiled:
    config = config or Config()
    given = {"containers": [{"name": "c", "image": "i"}], **(predictor or {})}
    isvc = default(
        parse(
            {
                "apiVersion": "serving.kserve.io/v1beta1",
                "kind": "InferenceService",
                "metadata": {
                    "name": "iris",
                    "namespace": "ns",
                    "uid": "u",
                    "generation": 2,
                    "annotations": dict(annotations or {}),
                },
                "spec": {"predictor": given, **spec},
            }
        )
    )
    components: list[ResolvedComponent] = [resolve_predictor(isvc, RuntimeSet(), config)]
    if isvc.spec.transformer is not None:
        components.append(resolve_transformer(isvc, isvc.spec.transformer, config))
    if isvc.spec.explainer is not None:
        components.append(resolve_explainer(isvc, isvc.spec.explainer, config))
    observed = Observed(deployments=deployments or {}, previous_status=before or {})
    return compile_standard(isvc, components, config=config, observed=observed, now=NOW)


def found(result: Compiled, kind: str, name: str = "iris-predictor") -> Object:
    [one] = [o for o in result.objects if (o["kind"], o["metadata"]["name"]) == (kind, name)]
    return one


def kinds(result: Compiled) -> list[str]:
    return [f"{obj['kind']} {obj['metadata']['name']}" for obj in result.objects]


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
    assert container["readinessProbe"] == {"tcpSocket": {"port": 8080}}
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


@pytest.mark.parametrize(
    ("probe", "wanted"),
    [
        ({"httpGet": {"path": "/ready"}}, {"httpGet": {"path": "/ready", "port": 9000}}),
        ({"httpGet": {"path": "/r", "port": 1}}, {"httpGet": {"path": "/r", "port": 1}}),
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


def cpu(percent: int) -> Object:
    return {
        "type": "Resource",
        "resource": {
            "name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": percent},
        },
    }


@pytest.mark.parametrize(
    ("predictor", "annotations", "least", "most", "metric"),
    [
        ({}, {}, 1, 1, cpu(80)),
        ({"minReplicas": 0, "maxReplicas": 5}, {}, 1, 5, cpu(80)),
        ({"minReplicas": 3, "maxReplicas": 2}, {}, 3, 3, cpu(80)),
        ({"scaleTarget": 60}, {f"{KSERVE}targetUtilizationPercentage": "70"}, 1, 1, cpu(60)),
        ({}, {f"{KSERVE}targetUtilizationPercentage": "70"}, 1, 1, cpu(70)),
        (
            {"scaleTarget": 50},
            {f"{KSERVE}metrics": "memory"},
            1,
            1,
            {
                "type": "Resource",
                "resource": {
                    "name": "memory",
                    "target": {"type": "Utilization", "averageUtilization": 50},
                },
            },
        ),
        (
            {"scaleMetric": "memory", "scaleMetricType": "AverageValue", "scaleTarget": 1000000},
            {},
            1,
            1,
            {
                "type": "Resource",
                "resource": {
                    "name": "memory",
                    "target": {"type": "AverageValue", "averageValue": "1000000"},
                },
            },
        ),
    ],
)
def test_the_autoscaler(
    predictor: Object, annotations: Mapping[str, str], least: int, most: int, metric: Object
) -> None:
    spec = found(compiled(predictor, annotations=annotations), "HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "iris-predictor",
    }
    assert (spec["minReplicas"], spec["maxReplicas"]) == (least, most)
    assert spec["metrics"] == [metric]
    assert spec["behavior"]["scaleDown"] == {"stabilizationWindowSeconds": 300}


QUERY = {
    "type": "External",
    "external": {
        "metric": {"backend": "prometheus", "serverAddress": "http://p", "query": "q"},
        "target": {"type": "Value", "value": "20"},
        "authenticationRef": {"authModes": "bearer", "authenticationRef": {"name": "auth"}},
    },
}


GRAPHITE: Object = {
    "type": "External",
    "external": {
        "metric": {"backend": "graphite", "serverAddress": "http://g", "query": "q"},
        "target": {"averageValue": 3},
    },
}
POD: Object = {
    "type": "PodMetric",
    "podmetric": {
        "metric": {
            "backend": "opentelemetry",
            "metricNames": ["vllm:num_requests_running"],
            "query": "vllm:num_requests_running",
            "operationOverTime": "avg",
        },
        "target": {"type": "Value", "value": "4"},
    },
}
KEDA = {f"{KSERVE}autoscalerClass": "keda"}


@pytest.mark.parametrize(
    ("predictor", "least", "triggers"),
    [
        (
            {"minReplicas": 0},
            1,
            [{"type": "cpu", "metricType": "Utilization", "metadata": {"value": "80"}}],
        ),
        (
            {"minReplicas": 0, "autoScaling": {"metrics": [QUERY]}},
            0,
            [
                {
                    "type": "prometheus",
                    "metadata": {
                        "authModes": "bearer",
                        "query": "q",
                        "serverAddress": "http://p",
                        "threshold": "20",
                    },
                    "authenticationRef": {"name": "auth"},
                }
            ],
        ),
        (
            {"autoScaling": {"metrics": [GRAPHITE]}},
            1,
            [
                {
                    "type": "graphite",
                    "metadata": {
                        "query": "q",
                        "queryTime": "-10Minutes",
                        "serverAddress": "http://g",
                        "threshold": "3",
                    },
                }
            ],
        ),
        (
            {"minReplicas": 0, "autoScaling": {"metrics": [POD]}},
            0,
            [
                {
                    "type": "external",
                    "metadata": {
                        "metricQuery": 'sum(vllm:num_requests_running{namespace="ns", '
                        'deployment="iris-predictor"})',
                        "operationOverTime": "avg",
                        "scalerAddress": "keda-otel-scaler.keda.svc:4318",
                        "targetValue": "4",
                    },
                }
            ],
        ),
    ],
)
def test_keda(predictor: Object, least: int, triggers: list[Object]) -> None:
    result = compiled({**predictor, "maxReplicas": 4}, annotations=KEDA)
    scaled = found(result, "ScaledObject")
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    assert (scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"]) == (least, 4)
    assert scaled["spec"]["triggers"] == triggers


def test_a_collector_sends_on_what_the_replicas_measure() -> None:
    collector = OtelCollector(metric_receiver_endpoint="otel:1", cpu_limit="", memory_limit="")
    result = compiled(
        {
            "autoScaling": {"metrics": [POD]},
            "annotations": {"prometheus.kserve.io/port": "8000"},
        },
        annotations=KEDA,
        config=Config(otel_collector=collector),
    )
    template = found(result, "Deployment")["spec"]["template"]["metadata"]
    assert template["annotations"]["sidecar.opentelemetry.io/inject"] == "iris-predictor"
    made = found(result, "OpenTelemetryCollector")
    assert made["apiVersion"] == "opentelemetry.io/v1beta1"
    spec = made["spec"]
    assert spec["mode"] == "sidecar"
    assert spec["resources"] == {"requests": {"cpu": "200m", "memory": "512Mi"}}
    pipeline = spec["config"]
    [scrape] = pipeline["receivers"]["prometheus"]["config"]["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": ["localhost:8000"]}]
    kept = pipeline["processors"]["filter/metrics"]["metrics"]["include"]["metric_names"]
    assert kept == ["vllm:num_requests_running"]
    assert pipeline["exporters"]["otlp"]["endpoint"] == "otel:1"
    assert pipeline["service"]["pipelines"]["metrics"]["processors"] == list(pipeline["processors"])


def test_a_collector_of_the_users_own_is_kept() -> None:
    own = {"sidecar.opentelemetry.io/inject": "mine"}
    result = compiled({"autoScaling": {"metrics": [POD]}, "annotations": own}, annotations=KEDA)
    template = found(result, "Deployment")["spec"]["template"]["metadata"]
    assert template["annotations"].items() >= own.items()


def test_several_metrics_and_their_behavior() -> None:
    memory = {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}
    given = {
        "metrics": [cpu(50), {"type": "Resource", "resource": memory}],
        "behavior": {"scaleDown": {"selectPolicy": "Disabled"}},
    }
    result = compiled({"autoScaling": given, "maxReplicas": 4})
    spec = found(result, "HorizontalPodAutoscaler")["spec"]
    assert spec["metrics"] == given["metrics"]
    assert spec["behavior"] == {
        "scaleUp": {"stabilizationWindowSeconds": 0},
        "scaleDown": {"stabilizationWindowSeconds": 300, "selectPolicy": "Disabled"},
    }


@pytest.mark.parametrize(("by", "replicas"), [("none", 2), ("external", None)])
def test_without_an_autoscaler(by: str, replicas: int | None) -> None:
    result = compiled({"minReplicas": 2}, annotations={f"{KSERVE}autoscalerClass": by})
    assert found(result, "Deployment")["spec"].get("replicas") == replicas
    assert not any("Autoscaler" in kind or "Scaled" in kind for kind in kinds(result))


def test_scaling_annotations_roll_nothing_out() -> None:
    plain = found(compiled(), "Deployment")
    other = found(compiled(annotations={f"{KSERVE}metrics": "memory"}), "Deployment")
    assert plain == other


@pytest.mark.parametrize(
    ("predictor", "annotations", "message"),
    [
        ({"scaleMetric": "rps"}, {}, 'spec.predictor.scaleMetric: "rps" is measured only in'),
        ({}, {f"{KSERVE}autoscalerClass": "vpa"}, '"vpa" is unknown; use hpa, keda'),
        ({"scaleMetricType": "Value"}, {}, '"Value" does not go with cpu'),
        ({}, {f"{KSERVE}targetUtilizationPercentage": "lots"}, '"lots" is no percent'),
        ({"autoScaling": {"metrics": [QUERY]}}, {}, "External and PodMetric need KEDA"),
        (
            {"autoScaling": {"metrics": [{"type": "PodMetric"}]}},
            {},
            r"autoScaling.metrics\[0\]: the type is PodMetric, and podmetric is not given",
        ),
    ],
)
def test_what_cannot_be_scaled_so(
    predictor: Object, annotations: Mapping[str, str], message: str
) -> None:
    with pytest.raises(CompileError, match=message):
        compiled(predictor, annotations=annotations)


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


def live(
    conditions: Mapping[str, tuple[str, str]], *, current: bool = True, **counts: Any
) -> dict[str, Object]:
    deployment = found(compiled(), "Deployment")
    deployment["metadata"]["generation"] = 3
    if not current:
        deployment["metadata"]["annotations"] = {HASH: "older"}
    deployment["spec"]["replicas"] = 1
    deployment["status"] = {
        "observedGeneration": 3,
        "replicas": 1,
        **counts,
        "conditions": [
            {"type": type_, "status": status, "reason": f"{type_}Reason", "message": message}
            for type_, (status, message) in conditions.items()
        ],
    }
    return {"iris-predictor": deployment}


UP = {"Available": ("True", "")}
DOWN = {"Available": ("False", "no replica")}
STUCK = {"Progressing": ("False", "took too long.")}
SERVING: Object = {"updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1}


@pytest.mark.parametrize(
    ("deployments", "ready", "latest", "states"),
    [
        ({}, "Unknown", "Unknown", ("InProgress", "Pending", "Loading")),
        (live(UP, current=False), "Unknown", "Unknown", ("InProgress", "Pending", "Loading")),
        (live({}), "Unknown", "Unknown", ("InProgress", "Pending", "Loading")),
        (live(DOWN), "False", "Unknown", ("InProgress", "Pending", "Loading")),
        (live(UP, **SERVING), "True", "True", ("UpToDate", "Loaded", "Loaded")),
        (
            live(UP, replicas=2, updatedReplicas=1, availableReplicas=1),
            "True",
            "Unknown",
            ("InProgress", "Loaded", "Loading"),
        ),
        (
            live({**UP, **STUCK}),
            "True",
            "False",
            ("BlockedByFailedLoad", "Loaded", "FailedToLoad"),
        ),
        (
            live({**DOWN, **STUCK}),
            "False",
            "False",
            ("BlockedByFailedLoad", "FailedToLoad", "FailedToLoad"),
        ),
        (
            live({**DOWN, "ReplicaFailure": ("True", "quota")}),
            "False",
            "False",
            ("BlockedByFailedLoad", "FailedToLoad", "FailedToLoad"),
        ),
    ],
)
def test_the_status_tells_of_the_deployment(
    deployments: Mapping[str, Object], ready: str, latest: str, states: tuple[str, str, str]
) -> None:
    status = compiled(deployments=deployments).status
    conditions = {each["type"]: each["status"] for each in status["conditions"]}
    assert conditions["PredictorReady"] == ready
    assert conditions["LatestDeploymentReady"] == latest
    model = status["modelStatus"]
    assert (model["transitionStatus"], *model["states"].values()) == states
    assert status["deploymentMode"] == "Standard"
    assert status["observedGeneration"] == 2


def test_a_failed_rollout_says_what_goes_on() -> None:
    status = compiled(deployments=live({**UP, **STUCK})).status
    [latest] = [c for c in status["conditions"] if c["type"] == "LatestDeploymentReady"]
    assert latest["reason"] == "ProgressingReason"
    assert latest["message"] == (
        "the latest template failed: took too long. The replicas before go on serving"
    )
    later = compiled(deployments=live({**UP, **STUCK}), before=status).status
    assert later == status


def test_a_canary_is_told_about_once() -> None:
    first = compiled({"canaryTrafficPercent": 10})
    assert [event.reason for event in first.events] == ["CanaryIgnored"]
    again = compiled({"canaryTrafficPercent": 10}, before=first.status)
    assert again.events == ()
