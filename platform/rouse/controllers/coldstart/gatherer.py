"""Puts wake-ups together, one pod at a time, and keeps them until a status tells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import condition_of
from rouse.coldstart import ANNOTATION
from rouse.coldstart.causes import Cause, cause_of, deployment_of, was_standby
from rouse.coldstart.gather import ended_sleep, gather, time_of
from rouse.compiler.coldstart import KEPT_STARTS
from rouse.compiler.names import SERVICE_LABEL
from rouse.controllers.coldstart.report import Ask
from rouse.controllers.coldstart.traces import Traces
from rouse.kube.client import EventType
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, key_of, labels_of
from rouse.kube.resources import DEPLOYMENTS, Resource

__all__ = ["Gatherer"]

SETTLE_S: Final = 3.0
"""After a pod is ready: its Events are written by then, and what the activator itself measured."""

_REVISION_LABEL: Final = "serving.knative.dev/revision"


class _Sources(Protocol):
    """The informers of the controller of InferenceServices that are of use here."""

    @property
    def services(self) -> Informer: ...
    @property
    def revisions(self) -> Informer: ...
    @property
    def pods(self) -> Informer: ...
    @property
    def owned(self) -> Mapping[Resource, Informer]: ...
    def pods_of(self, service: Object) -> list[Object]: ...


class Gatherer:
    """Reconciles pods by key; ``told(key)`` is called for the InferenceService that woke.

    ``foreseen`` says of an InferenceService and its revision whether no request woke it.

    Level-based: what a status tells already is not looked at again, and what it does not is put
    together anew after a restart.
    """

    def __init__(
        self,
        sources: _Sources,
        traces: Traces,
        ask: Ask,
        *,
        told: Callable[[Key], None],
        foreseen: Callable[[Key, Object], bool] = lambda _service, _revision: False,
    ) -> None:
        self._in = sources
        self._traces = traces
        self._ask = ask
        self._told = told
        self._foreseen = foreseen
        self._found: dict[Key, dict[Key, Object]] = {}
        """By service and pod."""
        self._causes: dict[Key, Cause | None] = {}
        """Of pods of the mode Standard that were seen to become ready, while they are there."""

    def connect(self, enqueue: Callable[..., None]) -> None:
        """Let every pod that becomes ready be looked at, a little later."""

        def on_pod(type_: EventType, pod: Object, before: Object | None) -> None:
            if type_ is EventType.DELETED:
                self._forget(pod)
                self._causes.pop(key_of(pod), None)
            elif _is_ready(pod) and (before is None or not _is_ready(before)):
                if before is not None:
                    self._judge(pod)
                enqueue(key_of(pod), after_s=SETTLE_S)

        self._in.pods.add_change_handler(on_pod)

    def of(self, service: Key) -> list[Object]:
        """Return the wake-ups of an InferenceService that its status may not tell yet.

        Those of the mode Standard may be other starts too: each of these has its ``cause``.
        """
        return list(self._found.get(service, {}).values())

    async def reconcile(self, key: Key) -> None:
        """Look at one pod; does nothing where it woke nobody, or its wake-up is known."""
        pod = self._in.pods.get(key)
        service = _service_of(pod) if pod is not None else None
        if pod is None or service is None or self._is_told(pod, service):
            return
        about = self._woken(pod, service) if _revision(pod) else self._started(pod, service)
        if about is None:
            return
        report = await self._ask(pod)
        activation = gather(pod, self._traces.events_of(key), self._traces.node_of(pod), report)
        if activation is not None:
            record = {**activation.to_record(), **about}
            self._found.setdefault(service, {})[key] = record
            self._told(service)

    def _is_told(self, pod: Object, service: Key) -> bool:
        """Whether the status of the service has the pod, or the service is gone."""
        live = self._in.services.get(service)
        if live is None:
            return True
        status = live.get("status") or {}
        recent = (status.get("coldStart") or {}).get("recent") or ()
        starts = status.get("starts") or ()
        told = any(one.get("pod") == key_of(pod).name for one in (*recent, *starts))
        if told or _is_before(pod, starts):
            self._forget(pod)
            return True
        return False

    def _woken(self, pod: Object, service: Key) -> Object | None:
        """What a record says of a pod of Knative that ended a sleep; None where it did not."""
        revision = self._in.revisions.get(Key(service.namespace, _revision(pod)))
        if revision is None:
            return None
        if ANNOTATION in ((revision.get("status") or {}).get("annotations") or {}):
            # Whoever starts its pods measures it, and better.
            return None
        if self._foreseen(service, revision):
            # Nobody waited for it.
            return None
        mine = (one for one in self._pods_of(service) if _revision(one) == _revision(pod))
        return {"revision": _revision(pod)} if ended_sleep(pod, mine, revision) else None

    def _started(self, pod: Object, service: Key) -> Object | None:
        """What a record says of a pod of the mode Standard; None where nothing is known of it.

        A pod that stood by was made before anybody waited: its times tell of no start.
        """
        name = deployment_of(pod)
        deployment = self._in.owned[DEPLOYMENTS].get(Key(service.namespace, name))
        if deployment is None or was_standby(pod):
            return None
        cause = self._causes.get(key_of(pod)) or cause_of(pod, self._pods_of(service), deployment)
        if cause is None:
            return None
        about = {"revision": name}
        return about if cause is Cause.WAKE else {**about, "cause": str(cause)}

    def _judge(self, pod: Object) -> None:
        """Note why a pod started, as soon as it is ready: those that it replaces go then."""
        service = _service_of(pod)
        deployment = self._in.owned[DEPLOYMENTS].get(Key(key_of(pod).namespace, deployment_of(pod)))
        if service is not None and deployment is not None and key_of(pod) not in self._causes:
            self._causes[key_of(pod)] = cause_of(pod, self._pods_of(service), deployment)

    def _pods_of(self, service: Key) -> list[Object]:
        live = self._in.services.get(service)
        return self._in.pods_of(live) if live is not None else []

    def _forget(self, pod: Object) -> None:
        service = _service_of(pod)
        found = self._found.get(service) if service is not None else None
        if service is not None and found is not None:
            found.pop(key_of(pod), None)
            if not found:
                del self._found[service]


def _is_ready(pod: Object) -> bool:
    return bool(condition_of(pod, "Ready").get("status") == "True")


def _is_before(pod: Object, starts: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a pod is older than all starts that are kept: its own was told once, and went."""
    created = time_of(pod["metadata"].get("creationTimestamp"))
    times = [time for one in starts if (time := time_of(one.get("time"))) is not None]
    if created is None or len(times) < KEPT_STARTS:
        return False
    return created < min(times)


def _revision(pod: Object) -> str:
    return labels_of(pod).get(_REVISION_LABEL, "")


def _service_of(pod: Object) -> Key | None:
    name = labels_of(pod).get(SERVICE_LABEL)
    return Key(key_of(pod).namespace, name) if name else None
