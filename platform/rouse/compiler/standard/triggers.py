"""KEDA's triggers of metrics that only KEDA can ask for: Prometheus, Graphite, OpenTelemetry.

They say no metricType, as on KServe: the threshold is what one replica should see of the answer.
"""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.inferenceservice.autoscaling import ExternalMetric, MetricTarget, PodMetric
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError

__all__ = ["external_trigger", "pod_trigger"]

_GRAPHITE_RANGE = "-10Minutes"
"""KEDA refuses a Graphite trigger that says no range, and the API has no field for one."""


def external_trigger(metric: ExternalMetric, where: str) -> Object:
    """Return the trigger of a query. Raises CompileError where it has no target or backend.

    ``where`` is the path of the metric.
    """
    query = metric.metric
    backend = query.backend
    if backend is None:
        raise _refusal(f"{where}.metric.backend", "is needed: prometheus or graphite")
    fields = {
        "serverAddress": query.server_address or "",
        "query": query.query or "",
        "threshold": _target(metric.target, f"{where}.target"),
    }
    if backend == "prometheus" and query.namespace:
        fields["namespace"] = query.namespace
    if backend == "graphite":
        fields["queryTime"] = _GRAPHITE_RANGE
    trigger: Object = {"type": backend, "metadata": fields}
    access = metric.authentication_ref
    if access is not None:
        trigger["authenticationRef"] = {"name": access.authentication_ref.name}
        if access.auth_modes:
            fields["authModes"] = access.auth_modes
    return trigger


def pod_trigger(
    metric: PodMetric, where: str, *, namespace: str, deployment: str, config: Config
) -> Object:
    """Return the trigger of a metric that the replicas send to KEDA's scaler for OpenTelemetry.

    Of the Deployment's replicas only; the collector beside them labels what it sends.
    """
    asked = metric.metric
    names = asked.metric_names or []
    query = asked.query or (names[0] if len(names) == 1 else "")
    if not query:
        raise _refusal(f"{where}.metric.query", "is needed where there is not one of metricNames")
    selector = f'namespace="{namespace}", deployment="{deployment}"'
    fields = {
        "metricQuery": f"sum({query}{{{selector}}})",
        "targetValue": _target(metric.target, f"{where}.target"),
        "scalerAddress": asked.server_address or config.otel_collector.metric_scaler_endpoint,
    }
    if asked.operation_over_time:
        fields["operationOverTime"] = asked.operation_over_time
    return {"type": "external", "metadata": fields}


def _target(target: MetricTarget, where: str) -> str:
    value = target.value if target.value is not None else target.average_value
    if value is None:
        raise _refusal(where, "has no value to scale at; give value or averageValue")
    return str(value)


def _refusal(where: str, message: str) -> CompileError:
    return CompileError(Reason.INVALID_SPEC, f"{where}: {message}")
