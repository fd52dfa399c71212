"""InferenceService + runtimes + config + what was observed -> wanted objects, by `make_<thing>()`.

Here belongs every decision about what shall exist. Reading from and writing to a cluster, clocks
and retries do not: they are the controllers'.

What is named here is imported when it is asked for: processes that want a name of a label do
without the compiler, 15 MB.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
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

_PLACES: Final = {
    "CONFIG_MAP": "config",
    "CONFIG_NAMESPACE": "config",
    "Compiled": "compiled",
    "Config": "config",
    "Event": "compiled",
    "Observed": "observed",
    "RuntimeSet": "runtimes",
    "compile_inference_service": "compile",
    "compile_object": "compile",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{place}"), name)
