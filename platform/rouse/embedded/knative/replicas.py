"""The replicas of every Deployment as this process knows them: started at once, recorded later.

A pod that admission completes or may refuse is the exception: the node starts it when it sees the
record. No I/O but through the node, which starts a process without waiting. The API's records
follow (`rouse.embedded.knative.deployments`).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rouse.embedded.knative.failures import FAILED_CREATE, Failure, failure_of, start_problem
from rouse.embedded.knative.make.endpoints import Endpoint
from rouse.embedded.knative.make.pod import awaits_admission, make_pod
from rouse.embedded.knative.names import pod_name, template_hash
from rouse.embedded.knative.ports import Node, PodState
from rouse.embedded.knative.rolling import is_paused, min_ready_s, next_step, strategy_of
from rouse.kube.objects import Key, Object, controller_of, key_of, uid_of

__all__ = ["Replica", "Replicas"]


@dataclass(slots=True)
class Replica:
    """One pod. ``recorded``: the API has it. ``retiring``: it gets no new requests and will go.

    ``refused`` is why the API would not take its record; its process is stopped then.
    ``ready_at`` is when it became ready, of a clock that only grows; None while it is not.
    """

    key: Key
    pod: Object
    hashed: str
    recorded: bool = False
    retiring: bool = False
    refused: str = ""
    state: PodState | None = None
    ready_at: float | None = None

    def observe(self, state: PodState | None, now: float) -> None:
        """Take note of its state at this moment."""
        self.state = state
        if not self.ready:
            self.ready_at = None
        elif self.ready_at is None:
            self.ready_at = now

    @property
    def ready(self) -> bool:
        """Whether it answers requests."""
        return self.state is not None and self.state.ready and self.state.port is not None

    @property
    def endpoint(self) -> Endpoint | None:
        """Where it listens, once it is ready."""
        if self.state is None or not self.state.ready or self.state.port is None:
            return None
        return Endpoint(self.state.host, self.state.port)


@dataclass(slots=True)
class _Set:
    """The replicas of one Deployment, oldest first.

    ``hashed`` is of the template that replicas are made from, ``asked`` of the one that the spec
    has: another while the Deployment is paused.
    """

    deployment: Object
    hashed: str
    asked: str
    wanted: int = 0
    refused: str = ""
    """Why the API would not take the last pod; empty once it takes one."""
    replicas: dict[Key, Replica] = field(default_factory=dict)


class Replicas:
    """Starts and retires replicas so that as many run as are wanted.

    ``on_change`` is called with a Deployment's key whenever something about its replicas changed.
    ``choose`` picks a random character of an alphabet, ``now`` is seconds that only grow.
    ``has_quota`` says whether the API may refuse a pod of a namespace: such a pod, too, starts when
    it is recorded.
    """

    def __init__(
        self,
        node: Node,
        *,
        choose: Callable[[str], str] = random.choice,
        has_quota: Callable[[str], bool] = lambda _namespace: False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._choose = choose
        self._has_quota = has_quota
        self._now = now
        self._sets: dict[Key, _Set] = {}
        self._owner: dict[Key, Key] = {}
        self._listeners: list[Callable[[Key], None]] = []
        node.subscribe(self.observe_state)

    def on_change(self, listener: Callable[[Key], None]) -> None:
        """Call ``listener`` with a Deployment's key after every change of its replicas."""
        self._listeners.append(listener)

    # What is known

    def known(self, key: Key) -> bool:
        """Whether the Deployment is tracked."""
        return key in self._sets

    def wanted(self, key: Key) -> int:
        """How many replicas should run; 0 for a Deployment nobody tracks."""
        found = self._sets.get(key)
        return found.wanted if found else 0

    def all(self, key: Key) -> list[Replica]:
        """Every replica, the retiring ones included, oldest first."""
        found = self._sets.get(key)
        return list(found.replicas.values()) if found else []

    def ready(self, key: Key) -> list[Replica]:
        """The replicas that take requests."""
        return [one for one in self.all(key) if one.ready and not one.retiring]

    def available(self, key: Key) -> list[Replica]:
        """The ready replicas that have been so for as long as the Deployment asks."""
        return [one for one in self.ready(key) if self._remaining_s(key, one) <= 0]

    def available_in_s(self, key: Key) -> float | None:
        """Seconds until the next ready replica counts as available; None where all do."""
        waits = (self._remaining_s(key, one) for one in self.ready(key))
        return min((seconds for seconds in waits if seconds > 0), default=None)

    def _remaining_s(self, key: Key, replica: Replica) -> float:
        if replica.ready_at is None:
            return math.inf
        asked = min_ready_s(self._sets[key].deployment)
        return asked - (self._now() - replica.ready_at) if asked else 0.0

    def endpoints(self, key: Key) -> frozenset[Endpoint]:
        """Where the ready replicas listen."""
        return frozenset(one.endpoint for one in self.ready(key) if one.endpoint is not None)

    def is_retiring(self, pod: Key) -> bool:
        """Whether a pod is a replica that is to get no new requests."""
        owner = self._owner.get(pod)
        return owner is not None and self._sets[owner].replicas[pod].retiring

    def is_current(self, key: Key, replica: Replica) -> bool:
        """Whether a replica is of the Deployment's present template."""
        found = self._sets.get(key)
        return found is not None and replica.hashed == found.asked

    def failure(self, key: Key) -> Failure | None:
        """Why no replica will become ready for now; None while one is or still may."""
        failures = [_failure(one) for one in self.all(key) if not one.retiring]
        return failures[0] if failures and None not in failures else None

    def problem(self, key: Key) -> Failure | None:
        """What went wrong so far with a replica that is not ready, a first crash included."""
        problems = (_problem(one) for one in self.all(key) if not one.retiring)
        found = next((one for one in problems if one is not None), None)
        refused = self._sets[key].refused if key in self._sets else ""
        return found or (Failure(FAILED_CREATE, refused) if refused else None)

    # What is wanted

    def track(self, deployment: Object) -> None:
        """Take note of a Deployment, new or changed; a new one is wanted at its own scale."""
        key = key_of(deployment)
        hashed = template_hash(deployment["spec"]["template"])
        known = self._sets.get(key)
        if known is None:
            replicas = int(deployment["spec"].get("replicas", 1))
            self._sets[key] = _Set(deployment, hashed, hashed, replicas)
            return
        known.asked = hashed
        if is_paused(deployment):
            held = {"template": known.deployment["spec"]["template"]}
            deployment = {**deployment, "spec": deployment["spec"] | held}
            hashed = known.hashed
        known.deployment = deployment
        if known.hashed != hashed:
            known.hashed = hashed
            self._balance(key)

    def forget(self, key: Key) -> list[Replica]:
        """Stop tracking a Deployment that is gone; returns what was left of it."""
        gone = self._sets.pop(key, None)
        if gone is None:
            return []
        for pod in gone.replicas:
            self._owner.pop(pod, None)
        return list(gone.replicas.values())

    def uid(self, key: Key) -> str:
        """The uid of the Deployment tracked by this key, empty where none is."""
        found = self._sets.get(key)
        return uid_of(found.deployment) if found else ""

    def scale_to(self, key: Key, count: int) -> None:
        """Want ``count`` replicas: missing ones are launched before this returns."""
        found = self._sets.get(key)
        if found is None:
            return
        found.wanted = count
        self._balance(key)

    def balance(self, key: Key) -> None:
        """Launch what is missing and retire what is too many; what was refused is tried anew."""
        if key in self._sets:
            for one in self.all(key):
                if one.refused:
                    self._owner.pop(one.key, None)
                    del self._sets[key].replicas[one.key]
            self._balance(key)

    def refuse(self, key: Key, pod: Key, why: str) -> None:
        """The API refused a replica's record; it counts as failed until `balance`."""
        found = self._sets.get(key)
        if found is not None and pod in found.replicas:
            found.refused = why
            found.replicas[pod].refused = why
            found.replicas[pod].observe(None, self._now())
            self._changed(key)

    def accepted(self, key: Key, replica: Replica) -> None:
        """The API took a replica's record."""
        replica.recorded = True
        if key in self._sets:
            self._sets[key].refused = ""

    # What happens

    def observe_pod(self, pod: Object, *, deleted: bool = False) -> None:
        """Take note of a pod's record in the API."""
        key = key_of(pod)
        owner = self._owner.get(key) or self._owner_of(pod)
        if owner is None:
            return
        replicas = self._sets[owner].replicas
        if deleted:
            self._drop(owner, key)
            return
        known = replicas.get(key)
        if known is None:
            hashed = (pod["metadata"].get("labels") or {}).get("pod-template-hash", "")
            known = replicas[key] = Replica(key, pod, hashed)
            known.observe(self._node.status(*key), self._now())
            self._owner[key] = owner
        known.pod, known.recorded = pod, True
        if pod["metadata"].get("deletionTimestamp") and not known.retiring:
            known.retiring = True
            self._balance(owner)
        self._changed(owner)

    def observe_state(self, state: PodState) -> None:
        """Take note of what the node says of a pod."""
        key = Key(state.namespace, state.name)
        owner = self._owner.get(key)
        if owner is None or owner not in self._sets:
            return
        replica = self._sets[owner].replicas[key]
        if not replica.refused:
            replica.observe(state, self._now())
            self._changed(owner)
            self._balance(owner)

    def drop(self, key: Key, pod: Key) -> None:
        """Forget one replica whose process is gone and whose record never was."""
        if key in self._sets:
            self._drop(key, pod)

    def _drop(self, owner: Key, pod: Key) -> None:
        self._owner.pop(pod, None)
        if self._sets[owner].replicas.pop(pod, None) is not None:
            self._balance(owner)
            self._changed(owner)

    def _owner_of(self, pod: Object) -> Key | None:
        """The Deployment tracked that owns it: not a former one of the same name."""
        owner = controller_of(pod)
        if owner is None or owner["kind"] != "Deployment":
            return None
        key = Key(pod["metadata"].get("namespace", ""), owner["name"])
        return key if key in self._sets and owner["uid"] == self.uid(key) else None

    def _balance(self, key: Key) -> None:
        found = self._sets[key]
        before = self._count(found)
        staying = [one for one in found.replicas.values() if not one.retiring]
        current = [one for one in staying if one.hashed == found.hashed]
        surplus = len(current) - found.wanted
        if surplus > 0:
            for one in sorted(enumerate(current), key=_first_to_go)[:surplus]:
                one[1].retiring = True
        while self._roll(key, found):
            pass
        if self._count(found) != before:
            self._changed(key)

    def _roll(self, key: Key, found: _Set) -> bool:
        """One step towards the present template; whether another may follow at once."""
        current: list[Replica] = []
        former: list[Replica] = []
        leaving = 0
        paused = is_paused(found.deployment)
        for one in found.replicas.values():
            if not one.retiring:
                (current if paused or one.hashed == found.hashed else former).append(one)
            elif one.hashed != found.hashed:
                leaving += 1
        strategy = strategy_of(found.deployment, found.wanted)
        step = next_step(
            strategy,
            found.wanted,
            current,
            former,
            leaving=leaving,
            is_available=lambda one: self._remaining_s(key, one) <= 0,
        )
        for one in step.retire:
            one.retiring = True
        for _ in range(step.launch):
            self._launch(key, found)
        return bool(step.retire or step.launch)

    @staticmethod
    def _count(found: _Set) -> tuple[int, int]:
        replicas = found.replicas.values()
        return len(replicas), sum(one.retiring for one in replicas)

    def _launch(self, key: Key, found: _Set) -> None:
        name = pod_name(key.name, found.hashed, self._choose)
        pod = make_pod(found.deployment, name, found.hashed)
        replica = Replica(key_of(pod), pod, found.hashed)
        found.replicas[replica.key] = replica
        self._owner[replica.key] = key
        if not awaits_admission(pod) and not self._has_quota(key.namespace):
            self._node.launch(pod)
        replica.observe(replica.state or self._node.status(*replica.key), self._now())

    def _changed(self, key: Key) -> None:
        for listener in self._listeners:
            listener(key)


def _failure(replica: Replica) -> Failure | None:
    if replica.refused:
        return Failure(FAILED_CREATE, replica.refused)
    return failure_of(replica.state)


def _problem(replica: Replica) -> Failure | None:
    return _failure(replica) or start_problem(replica.state)


def _first_to_go(indexed: tuple[int, Replica]) -> tuple[bool, int]:
    """Unready before ready, and of those the newest first."""
    index, replica = indexed
    return replica.ready, -index
