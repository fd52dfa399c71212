"""Leader election by a coordination Lease: of several processes, one works."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rouse.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Key, Object
from rouse.kube.resources import LEASES

__all__ = ["Candidate", "LeaderElector", "LeaseTimes"]

logger = logging.getLogger(__name__)

_MICROSECONDS: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_SPREAD: Final = 1.2
"""Candidates wait up to this many times ``retry``, as in client-go."""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds: others wait ``duration`` for a silent leader, who gives up after ``renew``."""

    duration: float = 15.0
    renew: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not self.retry < self.renew < self.duration:
            message = f"a lease needs retry < renew < duration, not {self}"
            raise ValueError(message)


class Candidate:
    """What one process writes into a Lease, given what it has seen of it. Pure.

    A silent leader is told by how long *this* process has seen the Lease unchanged, never by the
    times written in it, so clocks that disagree do no harm.
    """

    def __init__(self, key: Key, identity: str, *, duration: float) -> None:
        self._key = key
        self._identity = identity
        self._duration = duration
        self._seen: Mapping[str, Any] | None = None
        self._seen_at = 0.0

    def holds(self, lease: Mapping[str, Any]) -> bool:
        """Say whether the Lease names this process."""
        return bool(_spec(lease).get("holderIdentity") == self._identity)

    def write(
        self, lease: Mapping[str, Any] | None, *, now: float, wall: datetime
    ) -> Object | None:
        """Return the Lease to write to become or stay the leader, None while another one leads.

        ``lease`` is the one in the API, None if there is none; ``now`` is monotonic seconds.
        """
        if lease is None:
            return self._made({}, wall, acquired=True)
        spec = _spec(lease)
        if spec != self._seen:
            self._seen, self._seen_at = spec, now
        holder = spec.get("holderIdentity")
        duration = float(spec.get("leaseDurationSeconds") or self._duration)
        if holder and holder != self._identity and now < self._seen_at + duration:
            return None
        return self._made(lease, wall, acquired=holder != self._identity)

    def released(self, lease: Mapping[str, Any], *, wall: datetime) -> Object:
        """Return the Lease that lets another process lead at once."""
        wanted = self._made(lease, wall, acquired=False)
        wanted["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
        return wanted

    def _made(self, lease: Mapping[str, Any], wall: datetime, *, acquired: bool) -> Object:
        stamp = wall.astimezone(UTC).strftime(_MICROSECONDS)
        spec = dict(lease.get("spec") or {})
        spec |= {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": round(self._duration),
            "renewTime": stamp,
        }
        if acquired:
            changes = spec.get("leaseTransitions")
            spec["acquireTime"] = stamp
            spec["leaseTransitions"] = 0 if changes is None else changes + 1
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": dict(lease.get("metadata") or self._key._asdict()),
            "spec": spec,
        }


def _spec(lease: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Lease that somebody made by hand may have no spec: then nobody holds it."""
    return lease.get("spec") or {}


class LeaderElector:
    """Acquires, renews and releases a Lease for this process."""

    def __init__(
        self,
        client: KubeClient,
        key: Key,
        identity: str,
        *,
        times: LeaseTimes | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._client = client
        self._key = key
        self._times = times or LeaseTimes()
        self._candidate = Candidate(key, identity, duration=self._times.duration)
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._uniform = uniform
        self._reached_at = float("-inf")
        self._renewed_at = float("-inf")

    @property
    def is_leader(self) -> bool:
        """Whether the Lease was written recently enough that no other process can lead."""
        return self.remaining() > 0

    @property
    def key(self) -> Key:
        """The Lease."""
        return self._key

    def seconds_since_reached(self) -> float:
        """Return how long ago the API last answered about the Lease."""
        return self._clock() - self._reached_at

    def remaining(self) -> float:
        """Return for how many more seconds this process leads, were the Lease not renewed again."""
        return self._renewed_at + self._times.renew - self._clock()

    async def acquire(self) -> None:
        """Wait, as long as it takes, until this process leads."""
        while not await self._attempt(self._times.renew):
            # Candidates that started together do not ask together for ever.
            await self._sleep(self._times.retry * self._uniform(1.0, _SPREAD))
        logger.info("leading: holding lease %s", self._key)

    async def hold(self) -> None:
        """Renew the Lease; returns when it is lost, after which nothing may be written."""
        while True:
            await self._sleep(self._times.retry)
            # A write may not take longer than the leadership lasts without it.
            if not await self._attempt(max(self.remaining(), 0.0)) and not self.is_leader:
                logger.error("no longer leading: lease %s was not renewed in time", self._key)
                return

    async def release(self) -> None:
        """Hand the Lease over, if it is ours, so that another process need not wait for it."""
        self._renewed_at = float("-inf")
        try:
            async with asyncio.timeout(self._times.retry):
                lease = await self._client.get(LEASES, self._key.name, self._key.namespace)
                if self._candidate.holds(lease):
                    await self._client.replace(self._candidate.released(lease, wall=self._wall()))
        except (ApiError, TimeoutError) as error:
            logger.warning("lease %s not handed over, it will run out: %s", self._key, error)

    async def _attempt(self, within: float) -> bool:
        began = self._clock()
        try:
            async with asyncio.timeout(within):
                written = await self._write_lease()
        except (ConflictError, AlreadyExistsError):
            self._reached_at = self._clock()
            return False
        except (ApiError, TimeoutError) as error:
            logger.warning("lease %s: %s", self._key, error)
            return False
        self._reached_at = self._clock()
        if written:
            # Counted from before the write: the API may have taken it at any moment since.
            self._renewed_at = began
        else:
            self._renewed_at = float("-inf")
        return written

    async def _write_lease(self) -> bool:
        try:
            lease = await self._client.get(LEASES, self._key.name, self._key.namespace)
        except NotFoundError:
            lease = None
        wanted = self._candidate.write(lease, now=self._clock(), wall=self._wall())
        if wanted is None:
            return False
        await (self._client.create(wanted) if lease is None else self._client.replace(wanted))
        return True
