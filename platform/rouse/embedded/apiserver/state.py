"""What every handler works on, and the clock and dice it uses."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rouse.embedded.apiserver.admission import Plugin
from rouse.embedded.apiserver.registry import Registry
from rouse.embedded.apiserver.store import Store
from rouse.embedded.apiserver.watchers import Hub
from rouse.embedded.apiserver.webhooks import Webhooks

__all__ = ["State", "timestamp"]

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


def timestamp(moment: datetime) -> str:
    """RFC 3339 in whole seconds, as Kubernetes writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class State:
    """The server's parts; one per server, shared by all requests."""

    store: Store
    registry: Registry
    hub: Hub
    plugins: tuple[Plugin, ...]
    limits: tuple[Plugin, ...]
    """Plugins that come last, after webhooks: nothing is stored between them and the object."""
    webhooks: Webhooks
    clock: Callable[[], datetime]
    logs: Path | None = None
    """Folder of the pods' log files; None when no node writes any."""

    def now(self) -> str:
        """The present as a Kubernetes timestamp."""
        return timestamp(self.clock())

    @staticmethod
    def new_uid() -> str:
        """A fresh metadata.uid."""
        return str(uuid.uuid4())

    @staticmethod
    def new_name(prefix: str) -> str:
        """A name for metadata.generateName."""
        return prefix[:58] + "".join(random.choices(_SUFFIX, k=5))
