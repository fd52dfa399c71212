"""How long services take to wake, and why."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.grafana import Board, Panel, Query, Row
from scripts.dashboards.queries import NAME, SERVICE, VARIABLES, quantiles, selected, total

__all__ = ["COLD_STARTS"]

_STARTS: Final = "inferenceservice:cold_starts:1h_bucket"

_CHOSEN: Final = '{namespace=~"$namespace", service=~"$service"}'
"""What the controller tells has the labels of its ledger."""


def _woken(metric: str, by: str, legend: str) -> tuple[Query, ...]:
    """The p95 since the controller started: wake-ups are too few for a rate."""
    return quantiles(f"{metric}_bucket{_CHOSEN}", f"namespace, {by}", legend, (0.95,))


COLD_STARTS: Final = Board(
    "rouse-cold-starts",
    "Rouse / Cold starts",
    (
        Row(
            "Wake-ups, as callers see them",
            (
                Panel(
                    "Wake-ups (p95)",
                    "s",
                    _woken("rouse_coldstart_seconds", "service", "{{service}}"),
                    "From the first request that waited, or from its pod, to ready or answered. "
                    "Exemplars lead to traces.",
                ),
                Panel(
                    "Phases of wake-ups (p95)",
                    "s",
                    _woken(
                        "rouse_coldstart_phase_seconds", "service, phase", "{{phase}} {{service}}"
                    ),
                ),
                Panel(
                    "Over their own budget",
                    "none",
                    (Query(f"1 - rouse_coldstart_within_budget{_CHOSEN}", "{{service}}"),),
                    "1 where the p95 of the last wake-ups is above rouse.dev/coldstart-budget.",
                    most=1,
                ),
            ),
        ),
        Row(
            "The last hour",
            (
                Panel(
                    "Cold starts",
                    "none",
                    (Query(total(SERVICE, selected(_STARTS, 'phase="total"', 'le="+Inf"')), NAME),),
                    "Processes that started within the hour and were scraped once.",
                ),
                Panel(
                    "From process to ready",
                    "s",
                    quantiles(selected(_STARTS, 'phase="total"'), SERVICE, NAME, (0.5, 0.95)),
                    "Without what the node does before: scheduling, image, container.",
                ),
                Panel(
                    "Over the budget of 2.5 s",
                    "percentunit",
                    (Query(selected("inferenceservice:cold_starts_over_budget:ratio1h"), NAME),),
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
                        f"{{{{phase}}}} {NAME}",
                        (0.95,),
                    ),
                ),
                Panel(
                    "Phases of the processes that run (mean)",
                    "s",
                    (
                        Query(
                            f"avg by ({SERVICE}, phase) ({selected('startup_phase_seconds')})",
                            f"{{{{phase}}}} {NAME}",
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
                            f"{{{{phase}}}} {NAME}",
                        ),
                    ),
                    "What to make shorter first.",
                    kind="bargauge",
                ),
            ),
        ),
    ),
    VARIABLES,
)
