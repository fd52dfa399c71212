"""What goes on inside of a model server."""

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

__all__ = ["MODEL_SERVER"]

_MODEL: Final = f"{SERVICE}, model_name"
_MODEL_NAME: Final = f"{NAME} {{{{model_name}}}}"
_HITS, _MISSES = (
    total(f"{SERVICE}, model", rate(selected(f"response_cache_{what}_total")))
    for what in ("hits", "misses")
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
                    quantiles(buckets("request_queue_seconds"), _MODEL, _MODEL_NAME, (0.5, 0.95)),
                    "Of requests that had to wait.",
                ),
                Panel(
                    "Requests left waiting when a call began (mean)",
                    "none",
                    (Query(mean("batch_request_queue", _MODEL), _MODEL_NAME),),
                ),
                Panel(
                    "Rows of a call",
                    "none",
                    (
                        Query(mean("batch_rows", _MODEL), f"mean {_MODEL_NAME}"),
                        *quantiles(buckets("batch_rows"), _MODEL, _MODEL_NAME, (0.95,)),
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
                    quantiles(buckets("request_predict_seconds"), _MODEL, _MODEL_NAME),
                ),
                Panel(
                    "Reading and writing (p95)",
                    "s",
                    tuple(
                        quantiles(buckets(f"request_{part}_seconds"), _MODEL, label, (0.95,))[0]
                        for part in ("preprocess", "postprocess")
                        for label in (f"{part} {_MODEL_NAME}",)
                    ),
                ),
                Panel(
                    "Explain",
                    "s",
                    quantiles(buckets("request_explain_seconds"), _MODEL, _MODEL_NAME, (0.5, 0.95)),
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
                            f"{NAME} {{{{sink}}}}",
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
                            f"{NAME} {{{{sink}}}} {{{{reason}}}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
    VARIABLES,
)
