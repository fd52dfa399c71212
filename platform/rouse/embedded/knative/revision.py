"""Revision -> Deployment, PodAutoscaler and Services; scaled from here on, and reported on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rouse.autoscaler import Activity
from rouse.autoscaler.revision import Asked, RevisionScaler
from rouse.coldstart import Activation
from rouse.embedded.knative import names
from rouse.embedded.knative.conditions import is_true
from rouse.embedded.knative.make.deployment import (
    make_deployment,
    make_pod_autoscaler,
    make_services,
)
from rouse.embedded.knative.make.revision import autoscaler_spec_of, progress_deadline_s
from rouse.embedded.knative.make.routing import routing_of
from rouse.embedded.knative.ports import Clock, Node
from rouse.embedded.knative.replicas import Replicas
from rouse.embedded.knative.route import is_reachable
from rouse.embedded.knative.scaler import Scaler
from rouse.embedded.knative.settings import Settings
from rouse.embedded.knative.status.revision import (
    Observed,
    invalid_revision_status,
    pod_autoscaler_status,
    revision_status,
)
from rouse.embedded.knative.traffic import BY_REFERENCE
from rouse.embedded.knative.writes import rfc3339, write_status
from rouse.errors import NotFoundError, ValidationError
from rouse.kube.apply import apply_if_differs, differs, stamped
from rouse.kube.client import KubeClient
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, key_of, labels_of, uid_of
from rouse.kube.resources import REVISIONS

__all__ = ["RevisionInformers", "Revisions"]


class RevisionInformers:
    """The copies of the API that revisions are reconciled from."""

    def __init__(
        self,
        *,
        revisions: Informer,
        configurations: Informer,
        routes: Informer,
        deployments: Informer,
        pod_autoscalers: Informer,
        services: Informer,
    ) -> None:
        self.revisions = revisions
        self.configurations = configurations
        self.routes = routes
        self.deployments = deployments
        self.pod_autoscalers = pod_autoscalers
        self.services = services


class Revisions:
    """Reconciles one Revision by key; ``last_activation`` gives its newest cold start, if any."""

    def __init__(
        self,
        client: KubeClient,
        node: Node,
        replicas: Replicas,
        scaler: Scaler,
        informers: RevisionInformers,
        *,
        settings: Callable[[], Settings],
        last_activation: Callable[[Key], Activation | None],
        events: EventRecorder,
        clock: Clock,
    ) -> None:
        self._client = client
        self._node = node
        self._replicas = replicas
        self._scaler = scaler
        self._in = informers
        self._settings = settings
        self._last_activation = last_activation
        self._events = events
        self._clock = clock
        self._warmed: set[Key] = set()
        self._uids: dict[Key, str] = {}

    async def reconcile(self, key: Key) -> None:
        """Write the children, see to the scale, and report."""
        revision = self._in.revisions.get(key)
        if revision is None or revision["metadata"].get("deletionTimestamp"):
            self._forget(key)
            return
        if self._uids.setdefault(key, uid_of(revision)) != uid_of(revision):
            # A former one of this name went unnoticed: what is known of it is not true of this one.
            self._forget(key)
            self._uids[key] = uid_of(revision)
        try:
            asked = self._asked(revision)
        except ValidationError as error:
            await self._report_invalid(revision, error)
            return
        await self._write_children(revision, asked)
        scaler = self._scaler.ensure(key, asked, initialized=is_true(revision))
        self._replicas.balance(_deployment(key))
        self._warm_up(key)
        await self._report(revision, scaler)
        await self._note_routing(revision)

    def _forget(self, key: Key) -> None:
        self._scaler.forget(key)
        self._warmed.discard(key)
        self._uids.pop(key, None)

    def _asked(self, revision: Object) -> Asked:
        settings = self._settings()
        key = key_of(revision)
        configuration = labels_of(revision).get(names.CONFIGURATION_LABEL, "")
        return Asked(
            spec=autoscaler_spec_of(revision, settings),
            reachable=is_reachable(
                revision,
                self._routes_to(key),
                self._in.configurations.get(Key(key.namespace, configuration)),
            ),
            progress_deadline_s=progress_deadline_s(revision, settings),
        )

    def _routes_to(self, key: Key) -> list[Object]:
        found = self._in.routes.indexed(BY_REFERENCE, key.name)
        return [one for one in found if key_of(one).namespace == key.namespace]

    async def _write_children(self, revision: Object, asked: Asked) -> None:
        await asyncio.gather(
            self._write_deployment(revision, asked),
            self._write(self._in.pod_autoscalers, make_pod_autoscaler(revision)),
            *(self._write(self._in.services, one) for one in make_services(revision)),
        )

    async def _write_deployment(self, revision: Object, asked: Asked) -> None:
        """Begins at the initial scale; later scales are written by the replica controller."""
        key = _deployment(key_of(revision))
        first = max(asked.spec.initial_scale, asked.spec.min_scale if asked.reachable else 0)
        wanted = stamped(
            make_deployment(revision, replicas=first, progress_deadline_s=asked.progress_deadline_s)
        )
        deployment = self._in.deployments.get(key)
        if deployment is not None:
            wanted["spec"] = wanted["spec"] | {
                "replicas": deployment["spec"].get("replicas", first)
            }
        if deployment is None or differs(wanted, deployment):
            deployment = await self._client.apply(wanted)
        if not self._replicas.known(key):
            self._replicas.track(deployment)

    async def _write(self, informer: Informer, wanted: Object) -> None:
        await apply_if_differs(self._client, wanted, informer.get(key_of(wanted)))

    def _warm_up(self, key: Key) -> None:
        """A warm parent for the template, once: the next wake-up needs no import."""
        deployment = self._in.deployments.get(_deployment(key))
        if deployment is not None and key not in self._warmed:
            self._warmed.add(key)
            self._node.warm_up(deployment["spec"]["template"])

    async def _note_routing(self, revision: Object) -> None:
        key = key_of(revision)
        leading = (key_of(route).name for route in self._routes_to(key))
        change = routing_of(revision, leading, now=rfc3339(self._clock.utc()))
        if change is None:
            return
        try:
            body = {"metadata": change}
            await self._client.patch(REVISIONS, key.name, body, namespace=key.namespace)
        except NotFoundError:
            pass

    async def _report_invalid(self, revision: Object, error: ValidationError) -> None:
        self._events.emit(revision, "Warning", "InvalidArgument", str(error))
        now = rfc3339(self._clock.utc())
        status = invalid_revision_status(revision, str(error), now=now)
        await write_status(self._client, revision, status)

    async def _report(self, revision: Object, scaler: RevisionScaler) -> None:
        key = key_of(revision)
        now = rfc3339(self._clock.utc())
        seen = self._observed(key, scaler)
        await write_status(self._client, revision, revision_status(revision, seen, now=now))
        autoscaler = self._in.pod_autoscalers.get(key)
        if autoscaler is not None:
            status = pod_autoscaler_status(autoscaler, seen, now=now)
            await write_status(self._client, autoscaler, status)

    def _observed(self, key: Key, scaler: RevisionScaler) -> Observed:
        deployment = _deployment(key)
        asleep = scaler.activity is Activity.INACTIVE
        return Observed(
            activity=scaler.activity,
            want=0 if asleep else scaler.want,
            ready=len(self._replicas.ready(deployment)),
            initialized=scaler.initialized,
            timed_out=scaler.timed_out,
            late=scaler.late(self._clock.now()),
            problem=self._replicas.problem(deployment),
            failure=self._replicas.failure(deployment),
            activation=self._last_activation(key),
        )


def _deployment(key: Key) -> Key:
    return Key(key.namespace, names.deployment_name(key.name))
