"""What InferenceServices and their model servers do."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.grafana import Board, Panel, Query, Row, Variable
from scripts.dashboards.queries import SERVICE, mean, quantiles, rate, selected, total

__all__ = ["COLD_STARTS", "MODEL_SERVER", "SERVICES"]

_UP: Final = 'up{job="rouse-models"}'
_VARIABLES: Final = (
    Variable("namespace", f"label_values({_UP}, namespace)"),
    Variable(
        "service",
        'label_values(up{job="rouse-models", namespace=~"$namespace"}, inferenceservice)',
    ),
)
_NAME: Final = "{{inferenceservice}}"
_MODEL: Final = f"{SERVICE}, model_name"
_MODEL_NAME: Final = "{{inferenceservice}} {{model_name}}"
_ANSWERED: Final = rate(selected("model_infer_request_success_total"))
_REQUESTS: Final = f"{_ANSWERED} + {rate(selected('model_infer_request_failure_total'))}"
_RUNNING: Final = selected("up", 'job="rouse-models"')
_HITS, _MISSES = (
    total(f"{SERVICE}, model", rate(selected(f"response_cache_{what}_total")))
    for what in ("hits", "misses")
)
_PARTS: Final = ("preprocess", "queue", "predict", "postprocess")


def _buckets(metric: str) -> str:
    return rate(selected(f"{metric}_bucket"))


def _mean(metric: str, by: str) -> str:
    return mean(by, (selected(f"{metric}_sum"), selected(f"{metric}_count")))


SERVICES: Final = Board(
    "rouse-services",
    "Rouse / Services",
    (
        Row(
            "Requests",
            (
                Panel("Requests", "reqps", (Query(total(SERVICE, _REQUESTS), _NAME),)),
                Panel(
                    "Failures by status",
                    "reqps",
                    (
                        Query(
                            total(f"{SERVICE}, status", rate(selected("request_failures_total"))),
                            f"{_NAME} {{{{status}}}}",
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
                            _NAME,
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
                    quantiles(_buckets("request_predict_seconds"), SERVICE, _NAME),
                ),
                Panel(
                    "Where a request spends its time (mean)",
                    "s",
                    tuple(
                        Query(_mean(f"request_{part}_seconds", SERVICE), f"{part} {_NAME}")
                        for part in _PARTS
                    ),
                    "Queue: of the requests that had to wait.",
                ),
                Panel(
                    "Predictions slower than 0.25 s, last hour",
                    "percentunit",
                    (Query(selected("inferenceservice:slow_predictions:ratio_rate1h"), _NAME),),
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
    _VARIABLES,
)

_STARTS: Final = "inferenceservice:cold_starts:1h_bucket"

COLD_STARTS: Final = Board(
    "rouse-cold-starts",
    "Rouse / Cold starts",
    (
        Row(
            "The last hour",
            (
                Panel(
                    "Cold starts",
                    "none",
                    (
                        Query(
                            total(SERVICE, selected(_STARTS, 'phase="total"', 'le="+Inf"')), _NAME
                        ),
                    ),
                    "Processes that started within the hour and were scraped once.",
                ),
                Panel(
                    "From process to ready",
                    "s",
                    quantiles(selected(_STARTS, 'phase="total"'), SERVICE, _NAME, (0.5, 0.95)),
                    "Without what the node does before: scheduling, image, container.",
                ),
                Panel(
                    "Over the budget of 2.5 s",
                    "percentunit",
                    (Query(selected("inferenceservice:cold_starts_over_budget:ratio1h"), _NAME),),
                    most=1,
                ),
            ),
        ),
        Row(
            "Phases",
            (
                Panel(
                    "Phases (p95)",
                    "s",
                    quantiles(
                        selected(_STARTS, 'phase!="total"'),
                        f"{SERVICE}, phase",
                        f"{{{{phase}}}} {_NAME}",
                        (0.95,),
                    ),
                ),
                Panel(
                    "Phases of the processes that run (mean)",
                    "s",
                    (
                        Query(
                            f"avg by ({SERVICE}, phase) ({selected('startup_phase_seconds')})",
                            f"{{{{phase}}}} {_NAME}",
                        ),
                    ),
                ),
                Panel(
                    "Dominant phase",
                    "s",
                    (
                        Query(
                            f"topk by ({SERVICE}) (1, avg by ({SERVICE}, phase) "
                            f"({selected('startup_phase_seconds')}))",
                            f"{{{{phase}}}} {_NAME}",
                        ),
                    ),
                    "What to make shorter first.",
                    kind="bargauge",
                ),
            ),
        ),
    ),
    _VARIABLES,
)

MODEL_SERVER: Final = Board(
    "rouse-model-server",
    "Rouse / Model server",
    (
        Row(
            "Queue and batches",
            (
                Panel(
                    "Time in the queue",
                    "s",
                    quantiles(_buckets("request_queue_seconds"), _MODEL, _MODEL_NAME, (0.5, 0.95)),
                    "Of requests that had to wait.",
                ),
                Panel(
                    "Requests left waiting when a call began (mean)",
                    "none",
                    (Query(_mean("batch_request_queue", _MODEL), _MODEL_NAME),),
                ),
                Panel(
                    "Rows of a call",
                    "none",
                    (
                        Query(_mean("batch_rows", _MODEL), f"mean {_MODEL_NAME}"),
                        *quantiles(_buckets("batch_rows"), _MODEL, _MODEL_NAME, (0.95,)),
                    ),
                ),
                Panel(
                    "Turned away (503)",
                    "reqps",
                    (
                        Query(
                            total(_MODEL, rate(selected("request_failures_total", 'status="503"'))),
                            _MODEL_NAME,
                        ),
                    ),
                    "The queue is full, or the model is not loaded.",
                ),
                Panel(
                    "Answers from the cache",
                    "percentunit",
                    (
                        Query(
                            f"{_HITS} / ({_HITS} + {_MISSES})",
                            "{{inferenceservice}} {{model}}",
                        ),
                    ),
                    most=1,
                ),
                Panel(
                    "Concurrency by replica",
                    "none",
                    (Query(selected("requests_in_flight"), "{{pod}}"),),
                ),
            ),
        ),
        Row(
            "Time",
            (
                Panel(
                    "Predict",
                    "s",
                    quantiles(_buckets("request_predict_seconds"), _MODEL, _MODEL_NAME),
                ),
                Panel(
                    "Reading and writing (p95)",
                    "s",
                    tuple(
                        quantiles(_buckets(f"request_{part}_seconds"), _MODEL, label, (0.95,))[0]
                        for part in ("preprocess", "postprocess")
                        for label in (f"{part} {_MODEL_NAME}",)
                    ),
                ),
                Panel(
                    "Explain",
                    "s",
                    quantiles(
                        _buckets("request_explain_seconds"), _MODEL, _MODEL_NAME, (0.5, 0.95)
                    ),
                ),
            ),
        ),
        Row(
            "Process and payload logs",
            (
                Panel(
                    "Memory",
                    "bytes",
                    (Query(selected("process_resident_memory_bytes"), "{{pod}}"),),
                ),
                Panel(
                    "CPU", "none", (Query(rate(selected("process_cpu_seconds_total")), "{{pod}}"),)
                ),
                Panel(
                    "Open files",
                    "percentunit",
                    (
                        Query(
                            f"{selected('process_open_fds')} / {selected('process_max_fds')}",
                            "{{pod}}",
                        ),
                    ),
                    most=1,
                ),
                Panel(
                    "Payload events delivered",
                    "cps",
                    (
                        Query(
                            total(f"{SERVICE}, sink", rate(selected("payload_log_events_total"))),
                            f"{_NAME} {{{{sink}}}}",
                        ),
                    ),
                ),
                Panel(
                    "Payload events lost",
                    "cps",
                    (
                        Query(
                            total(
                                f"{SERVICE}, sink, reason",
                                rate(selected("payload_log_dropped_total")),
                            ),
                            f"{_NAME} {{{{sink}}}} {{{{reason}}}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
    _VARIABLES,
)
