"""Configuration -> a Revision per generation of its template; old ones are deleted in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rouse.embedded.knative import names
from rouse.embedded.knative.gc import expired
from rouse.embedded.knative.make.revision import make_revision, wanted_revision_name
from rouse.embedded.knative.ports import Clock
from rouse.embedded.knative.settings import Settings
from rouse.embedded.knative.status.configuration import (
    configuration_status,
    invalid_configuration_status,
)
from rouse.embedded.knative.traffic import referenced
from rouse.embedded.knative.writes import rfc3339, write_status
from rouse.errors import AlreadyExistsError, NotFoundError, RejectedError, ValidationError
from rouse.kube.apply import differs
from rouse.kube.client import KubeClient
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, labels_of
from rouse.kube.resources import REVISIONS
from rouse.kube.store import by_label

__all__ = ["BY_CONFIGURATION", "Configurations"]

BY_CONFIGURATION: Final = "configuration"
"""Index of the revisions' informer."""


class Configurations:
    """Reconciles one Configuration by key."""

    def __init__(
        self,
        client: KubeClient,
        *,
        configurations: Informer,
        revisions: Informer,
        routes: Informer,
        settings: Callable[[], Settings],
        events: EventRecorder,
        clock: Clock,
    ) -> None:
        self._client = client
        self._configurations = configurations
        self._revisions = revisions
        revisions.add_index(BY_CONFIGURATION, by_label(names.CONFIGURATION_LABEL))
        self._routes = routes
        self._settings = settings
        self._events = events
        self._clock = clock

    async def reconcile(self, key: Key) -> None:
        """Create the revision of the present template, then say how it fares."""
        configuration = self._configurations.get(key)
        if configuration is None or configuration["metadata"].get("deletionTimestamp"):
            return
        now = rfc3339(self._clock.utc())
        try:
            created = await self._latest(configuration)
        except (ValidationError, RejectedError) as error:
            self._events.emit(configuration, "Warning", "CreationFailed", str(error))
            status = invalid_configuration_status(configuration, str(error), now=now)
            await write_status(self._client, configuration, status)
            return
        revisions = self._of(key)
        status = configuration_status(configuration, created, revisions, now=now)
        await write_status(self._client, configuration, status)
        await self._collect(configuration, status, revisions)

    def _of(self, key: Key) -> list[Object]:
        found = self._revisions.indexed(BY_CONFIGURATION, key.name)
        return [one for one in found if one["metadata"]["namespace"] == key.namespace]

    async def _latest(self, configuration: Object) -> Object:
        """The revision of the configuration's generation, created if there is none."""
        metadata = configuration["metadata"]
        key = Key(metadata["namespace"], wanted_revision_name(configuration))
        for one in self._of(Key(metadata["namespace"], metadata["name"])):
            if labels_of(one).get(names.GENERATION_LABEL) == str(metadata.get("generation", 1)):
                return one
        wanted = make_revision(configuration, self._settings())
        wanted["metadata"]["annotations"][names.ROUTING_MODIFIED] = rfc3339(self._clock.utc())
        try:
            created = await self._client.create(wanted)
        except AlreadyExistsError:
            return await self._existing(wanted, key)
        self._events.emit(configuration, "Normal", "Created", f'Created Revision "{key.name}"')
        return created

    async def _existing(self, wanted: Object, key: Key) -> Object:
        """A revision of that name: ours, if it is the same and of this configuration."""
        found = await self._client.get(REVISIONS, key.name, key.namespace)
        owner = wanted["metadata"]["labels"][names.CONFIGURATION_UID_LABEL]
        if labels_of(found).get(names.CONFIGURATION_UID_LABEL) != owner:
            raise RejectedError(
                f'Revision "{key.name}" exists and belongs to another configuration', status=409
            )
        if differs({"spec": wanted["spec"]}, found):
            raise RejectedError(
                f'Revision "{key.name}" exists with another spec; '
                "change spec.template.metadata.name, or leave it out",
                status=409,
            )
        return found

    async def _collect(
        self, configuration: Object, status: Object, revisions: list[Object]
    ) -> None:
        if len(revisions) <= self._settings().gc.min_non_active:
            return
        namespace = configuration["metadata"]["namespace"]
        active = {status.get(name) for name in _REFERENCES}
        for route in self._routes.list(namespace):
            active |= referenced(route)
        kept = {name for name in active if name}
        for name in expired(revisions, kept, self._settings().gc, self._clock.utc()):
            try:
                await self._client.delete(REVISIONS, name, namespace)
            except NotFoundError:
                continue


_REFERENCES = ("latestCreatedRevisionName", "latestReadyRevisionName")
