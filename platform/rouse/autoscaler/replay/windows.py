"""Averages of given records at given moments."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rouse.autoscaler.windows import Algorithm, make_window
from rouse.traces import Trace

__all__ = ["WindowTrace", "replay_windows"]


class WindowTrace(Trace):
    """A window, what is recorded in it in the order of arrival, and when it is asked."""

    window_s: Annotated[float, Field(gt=0, le=86_400)]
    granularity_s: Annotated[float, Field(ge=0.001)] = 1.0
    algorithm: Algorithm = Algorithm.LINEAR
    records: list[tuple[float, float]]
    queries: list[float]


def replay_windows(trace: WindowTrace) -> list[float]:
    """The average at each query, in the queries' order; a record at a query's time counts."""
    window = make_window(trace.algorithm, trace.window_s, trace.granularity_s)
    averages = [0.0] * len(trace.queries)
    done = 0
    for index in sorted(range(len(averages)), key=trace.queries.__getitem__):
        at = trace.queries[index]
        while done < len(trace.records) and trace.records[done][0] <= at:
            window.record(*trace.records[done])
            done += 1
        averages[index] = window.average(at)
    return averages
