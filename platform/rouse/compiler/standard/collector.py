"""The OpenTelemetry collector beside a component's replicas, which sends on what PodMetric names.

The operator of OpenTelemetry puts it into the pods that ask for it by an annotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rouse.api.base import Object
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.metadata import make_metadata

__all__ = ["INJECT_ANNOTATION", "make_collector", "with_collector"]

INJECT_ANNOTATION = "sidecar.opentelemetry.io/inject"

_PORT_ANNOTATION = "prometheus.kserve.io/port"
_DEFAULT_PORT = "8080"
# What the query of the trigger selects by.
_LABELS = {
    "namespace": "k8s.namespace.name",
    "deployment": "k8s.deployment.name",
    "pod": "k8s.pod.name",
}


def with_collector(component: ResolvedComponent) -> ResolvedComponent:
    """Return the component whose pods ask for their collector; as it is where it needs none.

    The annotation of a user wins: it may name a collector of their own.
    """
    if not _metric_names(component):
        return component
    annotations = {INJECT_ANNOTATION: component.name, **component.annotations}
    return replace(component, annotations=annotations)


def make_collector(
    isvc: InferenceService, component: ResolvedComponent, config: Config
) -> Object | None:
    """Return the OpenTelemetryCollector of a component; None where no PodMetric names a metric."""
    names = _metric_names(component)
    if not names:
        return None
    settings = config.otel_collector
    port = component.annotations.get(_PORT_ANNOTATION, _DEFAULT_PORT)
    spec: Object = {"mode": "sidecar", "config": _pipeline(names, port, config)}
    resources = settings.to_object()
    if resources:
        spec["resources"] = resources
    return {
        "apiVersion": "opentelemetry.io/v1beta1",
        "kind": "OpenTelemetryCollector",
        "metadata": make_metadata(isvc, component.name, component.component),
        "spec": spec,
    }


def _metric_names(component: ResolvedComponent) -> list[str]:
    scaling = component.spec.auto_scaling
    metrics = (scaling.metrics if scaling is not None else None) or []
    return [
        name
        for each in metrics
        if each.type == "PodMetric" and each.podmetric is not None
        for name in each.podmetric.metric.metric_names or ()
    ]


def _pipeline(names: Sequence[str], port: str, config: Config) -> Object:
    """Return the collector's own configuration: what is read where, kept, labelled and sent."""
    settings = config.otel_collector
    scrape = {
        "job_name": "otel-collector",
        "scrape_interval": settings.scrape_interval,
        "static_configs": [{"targets": [f"localhost:{port}"]}],
    }
    statements = [
        f'set(attributes["{label}"], resource.attributes["{attribute}"])'
        for label, attribute in _LABELS.items()
    ]
    processors = {
        "resourcedetection/env": {"detectors": ["env"], "timeout": "2s", "override": False},
        "transform": {"metric_statements": [{"context": "datapoint", "statements": statements}]},
        "filter/metrics": {
            "metrics": {"include": {"match_type": "strict", "metric_names": list(names)}}
        },
    }
    return {
        "receivers": {"prometheus": {"config": {"scrape_configs": [scrape]}}},
        "processors": processors,
        "exporters": {
            "otlp": {
                "endpoint": settings.metric_receiver_endpoint,
                "compression": "none",
                "tls": {"insecure": True},
            }
        },
        "service": {
            "pipelines": {
                "metrics": {
                    "receivers": ["prometheus"],
                    "processors": list(processors),
                    "exporters": ["otlp"],
                }
            }
        },
    }
