"""InferenceService + runtimes + config + what was observed -> wanted objects, by `make_<thing>()`.

Here belongs every decision about what shall exist. Reading from and writing to a cluster, clocks
and retries do not: they are the controllers'.
"""

from rouse.compiler.compile import compile_inference_service, compile_object
from rouse.compiler.compiled import Compiled, Event
from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, Config
from rouse.compiler.observed import Observed
from rouse.compiler.runtimes import RuntimeSet

__all__ = [
    "CONFIG_MAP",
    "CONFIG_NAMESPACE",
    "Compiled",
    "Config",
    "Event",
    "Observed",
    "RuntimeSet",
    "compile_inference_service",
    "compile_object",
]
