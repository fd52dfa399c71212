"""What a predictor process is told by flags and environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["BatchSettings", "Limits", "PlaneSettings", "Settings"]

_ROWS_TOGETHER: Final = 64


class BatchSettings(NamedTuple):
    """Rows joined into one call of a model, and seconds a request may wait for company.

    A `max_size` of 0 or 1 joins nothing. With a latency of 0 nobody waits: joined is only what
    arrived while the model was busy.
    """

    max_size: int = 0
    max_latency_s: float = 0.0


@dataclass(frozen=True)
class Limits:
    """What the server takes before it refuses; 0 `request_seconds` sets no deadline.

    `waiting` counts requests in the queue of one model, `threads` are those of one model.
    """

    body_bytes: int = 100 * 1024 * 1024
    body_seconds: float = 60.0
    in_flight: int = 1024
    waiting: int = 512
    threads: int = 4
    request_seconds: float = 0.0


@dataclass(frozen=True)
class PlaneSettings:
    """How the data plane runs models that say nothing of their own; a cache of 0 bytes is none."""

    limits: Limits = field(default_factory=Limits)
    batch: BatchSettings = field(default_factory=lambda: BatchSettings(_ROWS_TOGETHER))
    cache_bytes: int = 0


@dataclass(frozen=True)
class Settings:
    """What to serve and how; times are in seconds.

    `source` is where the one model is, `repository` a folder of many. `listen_fd` and
    `notify_socket` come from the node: a listening socket to use instead of binding `http_port`,
    and where to report the phases of the start. A worker that stands still for `hang_seconds` is
    replaced; 0 for never.
    """

    model_name: str
    source: str
    repository: str | None = None
    all_versions: bool = False
    http_port: int = 8080
    grpc_port: int = 0
    workers: int = 1
    listen_fd: str | None = None
    notify_socket: str | None = None
    drain_seconds: float = 30.0
    hang_seconds: float = 120.0
    access_log: bool = False
    plane: PlaneSettings = field(default_factory=PlaneSettings)

    @property
    def limits(self) -> Limits:
        """The limits of the data plane, which hold for every protocol."""
        return self.plane.limits
