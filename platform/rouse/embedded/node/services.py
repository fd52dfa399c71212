"""What a pod needs from its node."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rouse.embedded.node.command import base_environment
from rouse.embedded.node.gate import StartGate
from rouse.embedded.node.images import ImageTable
from rouse.embedded.node.notify import NotifySocket
from rouse.embedded.node.paths import NodePaths
from rouse.embedded.node.pool import WarmPool
from rouse.embedded.node.ports import FreePorts
from rouse.embedded.node.restarts import RestartBackoff
from rouse.embedded.node.sources import Kind

__all__ = ["NodeServices"]

_AT_ONCE: Final = 2 * (os.cpu_count() or 1)
_HOLD_S: Final = 0.5


@dataclass(frozen=True)
class NodeServices:
    """The node's parts, shared by its pods."""

    paths: NodePaths
    images: ImageTable
    warm: WarmPool
    notify: NotifySocket
    get_source: Callable[[str, Kind, str], Awaitable[dict[str, Any] | None]]
    """Reads a ConfigMap or Secret: (namespace, kind, name) -> the object, or None."""
    record: Callable[[dict[str, Any], str, str, str], None]
    """Emits an Event: (pod, type, reason, message)."""
    ports: FreePorts = field(default_factory=FreePorts)
    backoff: Callable[[], RestartBackoff] = RestartBackoff
    gate: StartGate = field(default_factory=lambda: StartGate(_AT_ONCE, _HOLD_S))
    base: Mapping[str, str] = field(default_factory=lambda: base_environment(os.environ))
