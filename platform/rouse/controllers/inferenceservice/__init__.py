"""InferenceService: observe, compile, write what differs, drop what is no longer wanted, tell.

What an InferenceService means is decided in `rouse.compiler`; here is only what reads and writes.
"""

from rouse.controllers.inferenceservice.build import make_manager
from rouse.controllers.inferenceservice.reconciler import Reconciler
from rouse.controllers.inferenceservice.settings import Settings
from rouse.controllers.inferenceservice.sources import Sources

__all__ = ["Reconciler", "Settings", "Sources", "make_manager"]
