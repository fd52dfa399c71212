"""What the controllers and the webhooks do."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.grafana import Board, Panel, Query, Row
from scripts.dashboards.queries import every, quantiles, rate, total

__all__ = ["CONTROLLERS"]

_OWN: Final = 'job=~"rouse-controller|rouse-webhook"'
_WRITES: Final = 'verb=~"create|update|patch|apply|delete"'


def _sums(metric: str, by: str, legend: str, *matchers: str) -> tuple[Query, ...]:
    return (Query(total(by, every(metric, *matchers)), legend),)


def _rates(metric: str, by: str, legend: str, *matchers: str) -> tuple[Query, ...]:
    return (Query(total(by, rate(every(metric, *matchers))), legend),)


def _times(metric: str, by: str, legend: str) -> tuple[Query, ...]:
    return quantiles(rate(every(f"{metric}_bucket")), by, legend, (0.5, 0.99))


_QUEUE: Final = Row(
    "Work",
    (
        Panel("Leader", "none", (Query("rouse_leader", "{{pod}}"),), "1 is the one that works."),
        Panel(
            "Keys in line", "none", _sums("rouse_workqueue_depth", "controller", "{{controller}}")
        ),
        Panel(
            "Keys that wait for a time",
            "none",
            _sums("rouse_workqueue_delayed", "controller", "{{controller}}"),
            "Mostly backoffs after failures.",
        ),
        Panel(
            "Time in line",
            "s",
            _times("rouse_workqueue_wait_seconds", "controller", "{{controller}}"),
        ),
        Panel("Reconciles", "ops", _rates("rouse_reconcile_total", "result", "{{result}}")),
        Panel(
            "Time of a reconcile",
            "s",
            _times("rouse_reconcile_seconds", "controller", "{{controller}}"),
        ),
        Panel(
            "Failures by reason",
            "ops",
            _rates(
                "rouse_reconcile_errors_total", "controller, reason", "{{controller}} {{reason}}"
            ),
        ),
        Panel(
            "Put back after a failure",
            "ops",
            _rates("rouse_workqueue_retries_total", "controller", "{{controller}}"),
        ),
        Panel(
            "Under way", "none", _sums("rouse_reconcile_running", "controller", "{{controller}}")
        ),
    ),
)
_API: Final = Row(
    "Kubernetes API",
    (
        Panel(
            "Requests",
            "reqps",
            _rates("rouse_api_requests_total", "verb, code", "{{verb}} {{code}}"),
        ),
        Panel("Time of a request", "s", _times("rouse_api_request_seconds", "verb", "{{verb}}")),
        Panel(
            "Writes",
            "reqps",
            _rates("rouse_api_requests_total", "verb", "{{verb}}", _WRITES),
            "None while nothing changes.",
        ),
        Panel(
            "Objects in the copies",
            "none",
            _sums("rouse_informer_objects", "resource", "{{resource}}"),
        ),
        Panel(
            "Silence of the API",
            "s",
            (Query("max by (resource) (rouse_informer_silence_seconds)", "{{resource}}"),),
            "A bookmark comes every minute or so.",
        ),
        Panel(
            "Lists and watches that failed",
            "ops",
            _rates("rouse_informer_errors_total", "resource", "{{resource}}"),
        ),
    ),
)
_WEBHOOKS: Final = Row(
    "Webhooks",
    (
        Panel(
            "Reviews",
            "reqps",
            _rates("rouse_webhook_requests_total", "webhook, allowed", "{{webhook}} {{allowed}}"),
        ),
        Panel(
            "Time of a review",
            "s",
            _times("rouse_webhook_request_seconds", "webhook", "{{webhook}}"),
        ),
        Panel(
            "HTTP errors", "reqps", _rates("rouse_webhook_http_errors_total", "code", "{{code}}")
        ),
        Panel(
            "Certificate expires in",
            "s",
            (Query("min(rouse_webhook_certificate_expiry_seconds)", "certificate"),),
            kind="stat",
        ),
    ),
    columns=4,
)
_PROCESSES: Final = Row(
    "Processes",
    (
        Panel("CPU", "none", (Query(rate(every("process_cpu_seconds_total", _OWN)), "{{pod}}"),)),
        Panel("Memory", "bytes", (Query(every("process_resident_memory_bytes", _OWN), "{{pod}}"),)),
        Panel(
            "Events not written",
            "ops",
            (Query(f"sum({rate(every('rouse_events_dropped_total'))})", "dropped"),),
        ),
    ),
)

CONTROLLERS: Final = Board(
    "rouse-controllers", "Rouse / Controllers", (_QUEUE, _API, _WEBHOOKS, _PROCESSES)
)
