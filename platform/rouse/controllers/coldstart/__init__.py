"""Wake-ups on a cluster, put together from what pods, Events, nodes and model servers tell.

Nothing is written here: the InferenceService's own reconcile writes them with its status.
"""

from rouse.controllers.coldstart.gatherer import Gatherer
from rouse.controllers.coldstart.report import Ask, ask_server
from rouse.controllers.coldstart.traces import Traces

__all__ = ["Ask", "Gatherer", "Traces", "ask_server"]
