"""What the Knative engine needs of the node, the mesh and the clock, as ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from rouse.autoscaler.revision import RequestStats
from rouse.kube.objects import Key, Object

__all__ = ["Clock", "Container", "Mesh", "Node", "PodState", "Termination"]


class Termination(Protocol):
    """How a container's process ended. Times are seconds since 1970."""

    @property
    def exit_code(self) -> int: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def started_at(self) -> float: ...  # noqa: D102
    @property
    def finished_at(self) -> float: ...  # noqa: D102


class Container(Protocol):
    """One container of a pod; ``ended`` is this attempt's end, ``last`` that of the one before."""

    @property
    def ended(self) -> Termination | None: ...  # noqa: D102
    @property
    def last(self) -> Termination | None: ...  # noqa: D102


class PodState(Protocol):
    """What the node knows of a pod.

    ``ports``: containerPort -> port of this machine. ``crashes``: since it was ready last.
    ``timings``: seconds of each phase of its start.
    """

    @property
    def namespace(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def phase(self) -> str: ...  # noqa: D102
    @property
    def ready(self) -> bool: ...  # noqa: D102
    @property
    def host(self) -> str: ...  # noqa: D102
    @property
    def port(self) -> int | None: ...  # noqa: D102
    @property
    def ports(self) -> Mapping[int, int]: ...  # noqa: D102
    @property
    def timings(self) -> Mapping[str, float]: ...  # noqa: D102
    @property
    def restarts(self) -> int: ...  # noqa: D102
    @property
    def crashes(self) -> int: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def log_tail(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def containers(self) -> Sequence[Container]: ...  # noqa: D102


class Node(Protocol):
    """Starts and stops pods as processes of this machine."""

    def launch(self, pod: Object) -> None:
        """Start the pod's processes now, before the API has its record."""

    def status(self, namespace: str, name: str) -> PodState | None:
        """What is known of a pod; None where there is none."""

    def subscribe(self, callback: Callable[[PodState], None]) -> None:
        """Call ``callback`` in the event loop on every change."""

    async def stop_pod(self, namespace: str, name: str, grace_s: float) -> None:
        """Stop a pod's processes and wait until they are gone."""

    def warm_up(self, pod_template: Object) -> None:
        """See to it that a warm parent for this template exists; returns at once."""


class Mesh(Protocol):
    """The gateway that requests come through.

    It follows the API's VirtualServices and says in their status what it has: condition
    ``Reconciled``, with ``observedGeneration``.
    """

    async def stats(self) -> Mapping[Key, RequestStats]:
        """The statistics of every Service at this moment."""

    async def serving(
        self, key: Key, endpoints: frozenset[tuple[str, int]], timeout_s: float
    ) -> bool:
        """Wait until the gateway itself sends a Service's requests to exactly these endpoints."""

    async def reaching(self, key: Key, endpoint: tuple[str, int], timeout_s: float) -> bool:
        """Wait until the gateway sends requests of a Service to this endpoint, among others."""

    async def avoiding(
        self, services: Iterable[Key], endpoints: frozenset[tuple[str, int]], timeout_s: float
    ) -> bool:
        """Wait until the gateway sends requests of these Services to none of these endpoints."""


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> float:
        """Seconds that only grow."""

    def utc(self) -> datetime:
        """The time of day."""
