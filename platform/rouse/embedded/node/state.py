"""What is known about a pod and its containers at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from rouse.embedded.node.errors import Reason
from rouse.embedded.node.fields import POD_IP

__all__ = ["ContainerState", "PodState", "Terminated"]


@dataclass(frozen=True, slots=True)
class Terminated:
    """How a process ended. Times are seconds since 1970."""

    exit_code: int
    signal: int
    reason: str
    message: str
    started_at: float
    finished_at: float


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container; ``reason`` and ``message`` are those of a waiting one."""

    name: str
    image: str
    state: Literal["waiting", "running", "terminated"] = "waiting"
    reason: str = Reason.CREATING
    message: str = ""
    started_at: float = 0.0
    started: bool = False
    ready: bool = False
    restarts: int = 0
    crashes: int = 0
    """Since it was ready last."""
    ended: Terminated | None = None
    """How it ended, when its state is terminated."""
    last: Terminated | None = None
    """How the attempt before ended."""
    pid: int = 0


@dataclass(frozen=True, slots=True)
class PodState:
    """One pod. ``timings``: seconds of each phase of the start, which add up to launch -> ready."""

    namespace: str
    name: str
    phase: Literal["Pending", "Running", "Succeeded", "Failed"]
    ready: bool
    port: int | None
    ports: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    """containerPort -> port of this machine."""
    timings: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    restarts: int = 0
    crashes: int = 0
    """Of all containers since they were ready last."""
    reason: str = ""
    message: str = ""
    log_tail: tuple[str, ...] = ()
    host: str = POD_IP
    uid: str = ""
    initialized: bool = False
    started_at: float = 0.0
    terminating: bool = False
    containers: tuple[ContainerState, ...] = ()
    init_containers: tuple[ContainerState, ...] = ()
