"""What a pod needs from its node."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rouse.embedded.node.command import base_environment
from rouse.embedded.node.images import ImageTable
from rouse.embedded.node.notify import NotifySocket
from rouse.embedded.node.paths import NodePaths
from rouse.embedded.node.pool import WarmPool
from rouse.embedded.node.ports import FreePorts
from rouse.embedded.node.restarts import RestartBackoff
from rouse.embedded.node.sources import Kind

__all__ = ["NodeServices"]


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
    base: Mapping[str, str] = field(default_factory=lambda: base_environment(os.environ))
