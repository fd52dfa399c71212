"""The mesh: real Envoy, kept in step with the Kubernetes API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import orjson

from rouse.embedded.mesh.admin import Admin, ClusterStats
from rouse.embedded.mesh.bootstrap import make_bootstrap, make_listeners
from rouse.embedded.mesh.config import MeshOptions, MeshPaths, MeshPorts
from rouse.embedded.mesh.endpoints import EndpointServer
from rouse.embedded.mesh.files import write_atomically
from rouse.embedded.mesh.loop import MeshLoop
from rouse.embedded.mesh.objects import MeshObjects
from rouse.embedded.mesh.process import EnvoyProcess, default_envoy
from rouse.embedded.mesh.publisher import Publisher
from rouse.embedded.mesh.status import StatusWriter
from rouse.embedded.mesh.translate.endpoints import Endpoint
from rouse.embedded.mesh.translate.problems import Finding
from rouse.embedded.ports import ensure_free
from rouse.kube.client import EventType, KubeClient
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, key_of, uid_of
from rouse.kube.resources import (
    AUTHORIZATION_POLICIES,
    DESTINATION_RULES,
    ENDPOINT_SLICES,
    GATEWAYS,
    REQUEST_AUTHENTICATIONS,
    SERVICES,
    VIRTUAL_SERVICES,
)

__all__ = ["Gateway", "Mesh"]

_LOG: Final = logging.getLogger(__name__)
_SYNC_S: Final = 10.0
_COUNTED: Final = (
    "Gateway",
    "VirtualService",
    "DestinationRule",
    "RequestAuthentication",
    "AuthorizationPolicy",
)
"""Kinds whose generation counts the changes of their spec."""
_FOLLOWED: Final = (
    GATEWAYS,
    VIRTUAL_SERVICES,
    DESTINATION_RULES,
    REQUEST_AUTHENTICATIONS,
    AUTHORIZATION_POLICIES,
    SERVICES,
    ENDPOINT_SLICES,
)


class Gateway:
    """Envoy, following a set of objects that somebody else keeps."""

    def __init__(
        self,
        objects: MeshObjects,
        paths: MeshPaths,
        ports: MeshPorts,
        *,
        activator_socket: Path,
        envoy: Path | None = None,
        options: MeshOptions | None = None,
        report: Callable[[Finding], None] | None = None,
    ) -> None:
        self._paths = paths
        self._ports = ports
        self._activator_socket = activator_socket
        self._options = options or MeshOptions()
        self._admin = Admin(paths.admin_socket)
        self._endpoints = EndpointServer(paths.endpoints_socket)
        self._envoy = EnvoyProcess(envoy or default_envoy(), paths, self._admin, self._options)
        publisher = Publisher(
            paths,
            self._endpoints.table,
            self._admin,
            linger=self._options.linger,
            clock=asyncio.get_running_loop().time,
            refusal=self._envoy.last_refusal,
        )
        self._loop = MeshLoop(
            objects,
            publisher,
            self._endpoints.table,
            debounce=self._options.debounce,
            report=report or _log_finding,
        )

    @property
    def envoy(self) -> EnvoyProcess:
        """The process."""
        return self._envoy

    @property
    def streams(self) -> int:
        """Connections of Envoy to the endpoint server: one, while it runs."""
        return self._endpoints.streams

    @property
    def admin(self) -> Admin:
        """Envoy's admin interface."""
        return self._admin

    async def start(self) -> None:
        """Start Envoy with the objects as they are; returns when the ports answer."""
        for port, purpose, option in (
            (self._ports.ingress, "the ingress gateway", "--gateway-port"),
            (self._ports.local, "the local gateway", "another start"),
            (self._ports.activator, "the activator", "another start"),
        ):
            ensure_free(port, purpose=purpose, option=option, host=self._ports.host)
        for folder in (self._paths.root, self._paths.run, self._paths.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        bootstrap = make_bootstrap(self._paths, self._ports, self._activator_socket, self._options)
        write_atomically(self._paths.bootstrap, orjson.dumps(bootstrap))
        self._loop.write_all(make_listeners(self._paths, self._ports, self._options))
        await self._endpoints.start()
        await self._envoy.start()
        await self._loop.start()

    async def stop(self) -> None:
        """Drain and stop Envoy, then what it depends on. A second call does nothing."""
        await self._loop.stop()
        await self._envoy.stop()
        await self._endpoints.stop()
        await self._admin.aclose()

    def changed(self, obj: Object) -> None:
        """Tell that this object was added, changed or removed."""
        self._loop.changed(obj)

    async def stats(self) -> Mapping[Key, ClusterStats]:
        """Return requests per Service; raises EngineError while Envoy is being restarted."""
        return await self._admin.cluster_stats()

    async def serving(self, key: Key, endpoints: frozenset[Endpoint], timeout_s: float) -> bool:
        """Wait until Envoy sends a Service's requests to exactly these endpoints.

        False when it does not within the timeout.
        """
        return await self._loop.serving(key, endpoints, timeout_s)

    async def avoiding(
        self, services: Iterable[Key], endpoints: frozenset[Endpoint], timeout_s: float
    ) -> bool:
        """Wait until Envoy sends requests of these Services to none of these endpoints.

        False when it still does after the timeout.
        """
        return await self._loop.avoiding(services, endpoints, timeout_s)

    async def reaching(self, key: Key, endpoint: Endpoint, timeout_s: float) -> bool:
        """Wait until Envoy sends requests of a Service to this endpoint, among others.

        False when it does not within the timeout.
        """
        return await self._loop.reaching(key, endpoint, timeout_s)

    async def settled(self, timeout_s: float = 5.0) -> bool:
        """Wait until every change told so far is in effect; False when Envoy refused one."""
        return await self._loop.settled(timeout_s)


class Mesh(Gateway):
    """Envoy, following the objects of a Kubernetes API; an Event on one says what is wrong."""

    def __init__(
        self,
        client: KubeClient,
        paths: MeshPaths,
        ports: MeshPorts,
        *,
        activator_socket: Path,
        envoy: Path | None = None,
        options: MeshOptions | None = None,
    ) -> None:
        self._objects = MeshObjects()
        self._events = EventRecorder(client, "rouse-mesh")
        super().__init__(
            self._objects,
            paths,
            ports,
            activator_socket=activator_socket,
            envoy=envoy,
            options=options,
            report=self._report,
        )
        self._informers = [Informer(client, resource) for resource in _FOLLOWED]
        self._status = StatusWriter(
            client, self._objects, settled=self.settled, findings=lambda: self._loop.findings
        )

    async def start(self) -> None:
        """Read all objects, then start Envoy with them."""
        await self._events.start()
        for informer in self._informers:
            informer.add_handler(self._on_event)
            await informer.start()
        await asyncio.gather(*(informer.synced(_SYNC_S) for informer in self._informers))
        await super().start()
        self._status.start()

    async def stop(self) -> None:
        """Stop following, then stop Envoy."""
        await self._status.stop()
        await asyncio.gather(*(informer.stop() for informer in self._informers))
        await super().stop()
        await self._events.stop()

    def _report(self, finding: Finding) -> None:
        _log_finding(finding)
        obj = self._objects.get(finding.kind, finding.key)
        if obj is not None:
            self._events.emit(obj, "Warning", finding.reason, finding.message)

    def _on_event(self, type_: EventType, obj: Object) -> None:
        before = self._objects.get(obj["kind"], key_of(obj))
        if type_ is EventType.DELETED:
            self._objects.remove(obj)
        else:
            self._objects.put(obj)
        if type_ is not EventType.DELETED and before is not None and _same_spec(before, obj):
            return
        self.changed(obj)
        if obj["kind"] == "VirtualService":
            self._status.changed()


def _same_spec(before: Object, obj: Object) -> bool:
    """Whether only the status or the metadata of a custom object changed (by us, most often)."""
    generation = obj["metadata"].get("generation")
    return (
        obj["kind"] in _COUNTED
        and generation is not None
        and generation == before["metadata"].get("generation")
        and uid_of(obj) == uid_of(before)
    )


def _log_finding(finding: Finding) -> None:
    _LOG.warning("%s", finding)
