"""What a predictor process is told by flags and environment."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Limits", "Settings"]


@dataclass(frozen=True)
class Limits:
    """What the server takes before it refuses."""

    body_bytes: int = 100 * 1024 * 1024
    body_seconds: float = 60.0
    in_flight: int = 1024
    threads: int = 4


@dataclass(frozen=True)
class Settings:
    """One model and how to serve it; times are in seconds.

    `listen_fd` and `notify_socket` come from the node: a listening socket to use instead of
    binding `http_port`, and where to report the phases of the start.
    """

    model_name: str
    source: str
    http_port: int = 8080
    listen_fd: str | None = None
    notify_socket: str | None = None
    drain_seconds: float = 30.0
    limits: Limits = field(default_factory=Limits)
