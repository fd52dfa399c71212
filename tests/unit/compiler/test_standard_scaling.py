"""The mode Standard: what scales the replicas."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rouse.compiler import Config
from rouse.compiler.config import OtelCollector
from rouse.compiler.errors import CompileError
from tests.unit.compiler.standard import KSERVE, Object, compiled, found, kinds


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
