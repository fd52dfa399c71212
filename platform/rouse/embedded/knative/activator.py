"""Holds requests of sleeping revisions until a replica is ready, and says where they go.

It never sees a request's body: the gateway asks, waits for the answer, and sends the request to
the replica itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from rouse.coldstart import Activation
from rouse.embedded.knative.failures import Failure
from rouse.embedded.knative.make.endpoints import Endpoint
from rouse.embedded.knative.names import deployment_name, revision_key_of_deployment
from rouse.embedded.knative.ports import Clock
from rouse.embedded.knative.replicas import Replica, Replicas
from rouse.embedded.limits import UNLIMITED
from rouse.errors import EngineError
from rouse.kube.objects import Key

__all__ = [
    "ActivationFailedError",
    "ActivationTimeoutError",
    "Activator",
    "Admission",
    "QueueFullError",
    "UnknownRevisionError",
]

QUEUE_LIMIT = 1000
"""Requests held per revision."""


class UnknownRevisionError(EngineError):
    """No such revision, or it was deleted while the request waited."""


class QueueFullError(EngineError):
    """As many requests of this revision wait as may; ``retry_after_s`` tells when to try again."""

    retryable = True
    retry_after_s = 1


class ActivationTimeoutError(EngineError):
    """No replica became ready within the revision's timeout."""

    retryable = True


class ActivationFailedError(EngineError):
    """The revision's replicas fail, for a reason that waiting does not cure."""

    retryable = True
    retry_after_s = 5


@dataclass(frozen=True, slots=True)
class Admission:
    """Where a request goes; ``activation`` is what it waited for, None where it did not wait."""

    endpoint: Endpoint
    cluster: str = UNLIMITED
    """The gateway's cluster that holds the replica to its limit."""
    activation: Activation | None = None


@dataclass(slots=True)
class _Queue:
    """The requests held for one revision, in the order they came."""

    began: float
    """By the clock that only grows: the time of day may be set back meanwhile."""
    trace_id: str = ""
    """Of the first of them."""
    waiting: dict[asyncio.Future[Replica], None] = field(default_factory=dict)


class Activator:
    """Admits requests by the key of their revision.

    ``timeout_of(key)`` gives the seconds a request may wait, None for an unknown revision;
    ``cluster_of(key, endpoint)`` names the gateway's cluster that leads to a replica, as soon as it
    does. ``poke(key)`` wakes the revision, and ``record(key, activation)`` takes note of a wake-up.
    """

    def __init__(
        self,
        replicas: Replicas,
        clock: Clock,
        *,
        timeout_of: Callable[[Key], float | None],
        cluster_of: Callable[[Key, Endpoint], Awaitable[str]] | None = None,
        poke: Callable[[Key], None],
        record: Callable[[Key, Activation], None],
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        self._replicas = replicas
        self._clock = clock
        self._timeout_of = timeout_of
        self._cluster_of = cluster_of or _unlimited
        self._poke = poke
        self._record = record
        self._limit = queue_limit
        self._queues: dict[Key, _Queue] = {}
        self._turns: dict[Key, int] = {}
        self._calm = asyncio.Event()
        self._calm.set()
        replicas.on_change(self._replicas_changed)

    def held(self, key: Key) -> int:
        """How many requests of a revision wait."""
        queue = self._queues.get(key)
        return len(queue.waiting) if queue else 0

    async def calm(self, timeout_s: float) -> None:
        """Wait until no request waits, or for so long: what is not urgent lets them go before."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._calm.wait()
        except TimeoutError:
            pass

    async def admit(self, key: Key, *, trace_id: str = "") -> Admission:
        """Answer with a replica's address as soon as there is a ready one.

        ``trace_id`` is the W3C trace the request belongs to, empty where it has none.
        Raises one of this module's errors; cancelling gives the place in the queue back.
        """
        timeout = self._timeout_of(key)
        if timeout is None:
            raise UnknownRevisionError(f"revision {key} does not exist")
        came = self._clock.now()
        self._poke(key)
        ready = self._pick(key)
        if ready is not None and ready.endpoint is not None:
            return Admission(ready.endpoint, await self._cluster_of(key, ready.endpoint))
        failure = self._replicas.failure(_deployment(key))
        if failure is not None:
            raise _failed(key, failure)
        replica = await self._wait(key, timeout, trace_id)
        if replica.endpoint is None:
            # It stopped between the moment it was ready and this one.
            raise ActivationFailedError(f"revision {key}: its replica ended as it became ready")
        activation = self._activation(came, replica, trace_id)
        cluster = await self._cluster_of(key, replica.endpoint)
        return Admission(replica.endpoint, cluster, activation)

    async def _wait(self, key: Key, timeout: float, trace_id: str) -> Replica:
        queue = self._queues.setdefault(key, _Queue(self._clock.now(), trace_id))
        if len(queue.waiting) >= self._limit:
            raise QueueFullError(
                f"revision {key} is starting and {self._limit} requests wait already; "
                f"try again in {QueueFullError.retry_after_s} s"
            )
        turn: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()
        queue.waiting[turn] = None
        self._calm.clear()
        try:
            async with asyncio.timeout(timeout):
                return await turn
        except TimeoutError as error:
            raise ActivationTimeoutError(
                f"revision {key}: no replica became ready within its timeout of {timeout:g} s"
            ) from error
        finally:
            queue.waiting.pop(turn, None)
            if not queue.waiting and self._queues.get(key) is queue:
                del self._queues[key]
            self._see_whether_calm()

    def forget(self, key: Key) -> None:
        """Refuse the requests of a revision that is gone."""
        self._turns.pop(key, None)
        self._refuse(key, UnknownRevisionError(f"revision {key} was deleted"))

    def close(self) -> None:
        """Refuse every waiting request: the engine stops."""
        for key in list(self._queues):
            self._refuse(key, ActivationFailedError(f"revision {key}: the engine is stopping"))

    def _replicas_changed(self, deployment: Key) -> None:
        key = revision_key_of_deployment(deployment)
        queue = self._queues.get(key) if key is not None else None
        if key is None or queue is None:
            return
        first = self._pick(key)
        if first is not None:
            self._release(key, queue, first)
            return
        failure = self._replicas.failure(deployment)
        if failure is not None:
            self._refuse(key, _failed(key, failure))

    def _release(self, key: Key, queue: _Queue, first: Replica) -> None:
        self._record(key, self._activation(queue.began, first, queue.trace_id))
        for turn in self._taken(key):
            if not turn.done():
                turn.set_result(self._pick(key) or first)

    def _refuse(self, key: Key, error: EngineError) -> None:
        for turn in self._taken(key):
            if not turn.done():
                turn.set_exception(error)

    def _taken(self, key: Key) -> list[asyncio.Future[Replica]]:
        """Empty the queue of a revision."""
        queue = self._queues.pop(key, None)
        self._see_whether_calm()
        return list(queue.waiting) if queue else []

    def _see_whether_calm(self) -> None:
        if not self._queues:
            self._calm.set()

    def _pick(self, key: Key) -> Replica | None:
        """The next ready replica, each in its turn."""
        ready = self._replicas.ready(_deployment(key))
        if not ready:
            return None
        turn = self._turns.get(key, 0)
        self._turns[key] = turn + 1
        return ready[turn % len(ready)]

    def _activation(self, began: float, replica: Replica, trace_id: str) -> Activation:
        waited = self._clock.now() - began
        timings = replica.state.timings if replica.state else {}
        return Activation.measured(
            self._clock.utc() - timedelta(seconds=waited),
            waited,
            timings,
            pod=replica.key.name,
            trace_id=trace_id,
        )


async def _unlimited(_key: Key, _endpoint: Endpoint) -> str:
    return UNLIMITED


def _failed(key: Key, failure: Failure) -> ActivationFailedError:
    detail = f": {failure.last_line}" if failure.last_line else ""
    return ActivationFailedError(f"revision {key} cannot start ({failure.reason}){detail}")


def _deployment(key: Key) -> Key:
    return Key(key.namespace, deployment_name(key.name))
