"""Replaying traces through the autoscaler's arithmetic, with a virtual clock. Pure.

Three depths: :mod:`.windows` averages records, :mod:`.metrics` decides from averages, and
:mod:`.simulation` runs requests through all of it, pods that take time to start included.
"""

from rouse.autoscaler.replay.metrics import MetricsTrace, replay_metrics
from rouse.autoscaler.replay.simulation import Request, Row, Workload, simulate
from rouse.autoscaler.replay.windows import WindowTrace, replay_windows

__all__ = [
    "MetricsTrace",
    "Request",
    "Row",
    "WindowTrace",
    "Workload",
    "replay_metrics",
    "replay_windows",
    "simulate",
]
