"""What InferenceServices are asked and how they answer."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.grafana import Board, Panel, Query, Row
from scripts.dashboards.queries import (
    NAME,
    SERVICE,
    VARIABLES,
    buckets,
    mean,
    quantiles,
    rate,
    selected,
    total,
)

__all__ = ["SERVICES"]

_ANSWERED: Final = rate(selected("model_infer_request_success_total"))
_REQUESTS: Final = f"{_ANSWERED} + {rate(selected('model_infer_request_failure_total'))}"
_RUNNING: Final = selected("up", 'job="rouse-models"')
_PARTS: Final = ("preprocess", "queue", "predict", "postprocess")

SERVICES: Final = Board(
    "rouse-services",
    "Rouse / Services",
    (
        Row(
            "Requests",
            (
                Panel("Requests", "reqps", (Query(total(SERVICE, _REQUESTS), NAME),)),
                Panel(
                    "Failures by status",
                    "reqps",
                    (
                        Query(
                            total(f"{SERVICE}, status", rate(selected("request_failures_total"))),
                            f"{NAME} {{{{status}}}}",
                        ),
                    ),
                    "499 are clients that went away.",
                ),
                Panel(
                    "Burn rate of the error budget, last hour",
                    "none",
                    (
                        Query(
                            f"{selected('inferenceservice:request_faults:ratio_rate1h')} / 0.001",
                            NAME,
                        ),
                    ),
                    "1 spends the budget of 0.1 % in exactly a month; above 14.4 an alert fires.",
                ),
            ),
        ),
        Row(
            "Latency",
            (
                Panel(
                    "Predict",
                    "s",
                    quantiles(buckets("request_predict_seconds"), SERVICE, NAME),
                ),
                Panel(
                    "Where a request spends its time (mean)",
                    "s",
                    tuple(
                        Query(mean(f"request_{part}_seconds", SERVICE), f"{part} {NAME}")
                        for part in _PARTS
                    ),
                    "Queue: of the requests that had to wait.",
                ),
                Panel(
                    "Predictions slower than 0.25 s, last hour",
                    "percentunit",
                    (Query(selected("inferenceservice:slow_predictions:ratio_rate1h"), NAME),),
                    most=1,
                ),
            ),
        ),
        Row(
            "Replicas and canaries",
            (
                Panel(
                    "Replicas",
                    "none",
                    (
                        Query(
                            f"count by ({SERVICE}, component, revision) ({_RUNNING} == 1)",
                            "{{revision}}",
                        ),
                    ),
                    "Model servers that Prometheus reaches. None: it sleeps.",
                ),
                Panel(
                    "Concurrency",
                    "none",
                    (
                        Query(
                            total(f"{SERVICE}, revision", selected("requests_in_flight")),
                            "{{revision}}",
                        ),
                    ),
                    "Requests accepted and not yet answered.",
                ),
                Panel(
                    "Canary split",
                    "percentunit",
                    (
                        Query(
                            f"{total(f'{SERVICE}, component, revision', _ANSWERED)} / on "
                            f"({SERVICE}, component) group_left () "
                            f"({total(f'{SERVICE}, component', _ANSWERED)} > 0)",
                            "{{revision}}",
                        ),
                    ),
                    "Each revision's share of the answers.",
                    most=1,
                ),
            ),
        ),
    ),
    VARIABLES,
)
