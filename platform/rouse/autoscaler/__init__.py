"""The arithmetic of the Knative autoscaler: (stats, spec, now) -> wanted scale. Pure.

Here belong the window averages (:mod:`.windows`), the decision of one tick (:mod:`.decider`), the
settings of a revision (:mod:`.config`, :mod:`.spec`) and what a caller applies to a decision:
bounds, initial scale and the steps to zero (:mod:`.scaler`). Times are seconds on any clock whose
zero is a whole number of ticks; no clock, no client and no event loop belong here.
"""

from rouse.autoscaler.config import AutoscalerConfig, parse_config
from rouse.autoscaler.decider import Decider, DeciderSpec, Decision
from rouse.autoscaler.scaler import Activity, Facts, Verdict, judge
from rouse.autoscaler.spec import AutoscalerSpec, Metric, resolve_spec, validate_annotations
from rouse.autoscaler.windows import Algorithm, LinearWindow, WeightedWindow, Window, make_window

__all__ = [
    "Activity",
    "Algorithm",
    "AutoscalerConfig",
    "AutoscalerSpec",
    "Decider",
    "DeciderSpec",
    "Decision",
    "Facts",
    "LinearWindow",
    "Metric",
    "Verdict",
    "WeightedWindow",
    "Window",
    "judge",
    "make_window",
    "parse_config",
    "resolve_spec",
    "validate_annotations",
]
