"""The embedded Knative Serving as one part: its controllers, scaler and activator, wired."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rouse.embedded.knative import names
from rouse.embedded.knative.activator import QUEUE_LIMIT, ActivationTimeoutError, Activator
from rouse.embedded.knative.activator_server import ActivatorApp, ActivatorServer
from rouse.embedded.knative.clock import SystemClock
from rouse.embedded.knative.configuration import BY_CONFIGURATION, Configurations
from rouse.embedded.knative.deployments import Deployments
from rouse.embedded.knative.endpoints import Endpoints
from rouse.embedded.knative.hosts import revision_of_host
from rouse.embedded.knative.ledger import Ledger
from rouse.embedded.knative.make.endpoints import Endpoint
from rouse.embedded.knative.make.revision import container_concurrency, timeout_s
from rouse.embedded.knative.ports import Clock, Mesh, Node, PodState
from rouse.embedded.knative.replicas import Replicas
from rouse.embedded.knative.revision import RevisionInformers, Revisions
from rouse.embedded.knative.route import Routes
from rouse.embedded.knative.scaler import Scaler
from rouse.embedded.knative.service import Services
from rouse.embedded.knative.settings import NAMESPACE, Settings, parse_settings
from rouse.embedded.knative.traffic import BY_REFERENCE, referenced
from rouse.embedded.knative.workloads.autoscalers import BY_TARGET, Autoscalers, target_of
from rouse.embedded.knative.workloads.scheduling import Scheduler, awaits_node
from rouse.embedded.knative.workloads.services import ServiceEndpoints
from rouse.embedded.limits import UNLIMITED, limited_cluster
from rouse.errors import ValidationError
from rouse.kube.client import EventType, KubeClient
from rouse.kube.controller import Controller, Reconcile, Requeue
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, controller_of, key_of, labels_of, uid_of
from rouse.kube.resources import (
    CONFIG_MAPS,
    CONFIGURATIONS,
    DEPLOYMENTS,
    DESTINATION_RULES,
    ENDPOINT_SLICES,
    HORIZONTAL_POD_AUTOSCALERS,
    KNATIVE_SERVICES,
    POD_AUTOSCALERS,
    PODS,
    RESOURCE_QUOTAS,
    REVISIONS,
    ROUTES,
    SERVICES,
    VIRTUAL_SERVICES,
    Resource,
)

__all__ = ["KnativeEngine"]

logger = logging.getLogger(__name__)

_HOST: Final = "127.0.0.1"
_SETTLE_S: Final = 5.0
_SYNC_S: Final = 30.0
_CALM_S: Final = 1.0
_ANSWER_S: Final = 0.1

_FOLLOWED: Final[Mapping[str, tuple[Resource, str | None]]] = {
    "config_maps": (CONFIG_MAPS, NAMESPACE),
    "services": (KNATIVE_SERVICES, None),
    "configurations": (CONFIGURATIONS, None),
    "revisions": (REVISIONS, None),
    "routes": (ROUTES, None),
    "deployments": (DEPLOYMENTS, None),
    "pods": (PODS, None),
    "pod_autoscalers": (POD_AUTOSCALERS, None),
    "core_services": (SERVICES, None),
    "slices": (ENDPOINT_SLICES, None),
    "rules": (DESTINATION_RULES, None),
    "virtual_services": (VIRTUAL_SERVICES, None),
    "pod_scalers": (HORIZONTAL_POD_AUTOSCALERS, None),
    "quotas": (RESOURCE_QUOTAS, None),
}


class KnativeEngine:
    """Runs Knative's objects on this machine's node, behind this machine's gateway.

    ``activator_port`` is the gateway's own listener for requests of sleeping revisions;
    ``activator_socket`` is where that listener asks. ``start`` returns when both are served.
    """

    def __init__(
        self,
        client: KubeClient,
        node: Node,
        mesh: Mesh,
        *,
        activator_port: int,
        activator_socket: Path,
        clock: Clock | None = None,
        queue_limit: int = QUEUE_LIMIT,
        settle_s: float = _SETTLE_S,
    ) -> None:
        self._client = client
        self._node = node
        self._mesh = mesh
        self._clock = clock or SystemClock()
        self._settle_s = settle_s
        self._settings = Settings()
        self._ledger = Ledger(lambda key: self._controllers["revisions"].enqueue(key))
        self._tasks: list[asyncio.Task[None]] = []
        self._in = {
            name: Informer(client, resource, namespace)
            for name, (resource, namespace) in _FOLLOWED.items()
        }
        self._in["routes"].add_index(BY_REFERENCE, referenced)
        self._in["pod_scalers"].add_index(BY_TARGET, lambda obj: [target_of(obj)])
        self._events = EventRecorder(client, "rouse-engine")
        self.replicas = Replicas(
            node,
            has_quota=lambda namespace: bool(self._in["quotas"].list(namespace)),
            now=self._clock.now,
        )
        self._endpoints = Endpoints(
            client,
            self.replicas,
            mesh,
            revisions=self._in["revisions"],
            slices=self._in["slices"],
            rules=self._in["rules"],
            activator=Endpoint(_HOST, activator_port),
            in_path=lambda key: self.scaler.in_path(key),
        )
        self._service_endpoints = ServiceEndpoints(
            client,
            node,
            self.replicas,
            mesh,
            services=self._in["core_services"],
            pods=self._in["pods"],
            slices=self._in["slices"],
        )
        self._deployments = Deployments(
            client,
            node,
            self.replicas,
            deployments=self._in["deployments"],
            pods=self._in["pods"],
            settle=self._settle_deployment,
            reached=lambda key: self._service_endpoints.reached(key, self._settle_s),
            events=self._events,
            clock=self._clock,
        )
        self._autoscalers = Autoscalers(
            client,
            self.replicas,
            autoscalers=self._in["pod_scalers"],
            deployments=self._in["deployments"],
            clock=self._clock,
        )
        self.scaler = Scaler(
            self.replicas,
            mesh,
            self._clock,
            publish=lambda key: self._controllers["endpoints"].enqueue(key),
            settled=lambda key: self._endpoints.settled(key, self._settle_s),
            changed=self._enqueue_revision,
        )
        self.activator = Activator(
            self.replicas,
            self._clock,
            timeout_of=self._timeout_of,
            cluster_of=self._cluster_of,
            poke=self.scaler.poke,
            record=self._ledger.record,
            queue_limit=queue_limit,
        )
        self._server = ActivatorServer(
            ActivatorApp(self.activator, self._revision_of_host), activator_socket
        )
        self._controllers = self._make_controllers()
        self.replicas.on_change(self._replicas_changed)

    # Life

    async def start(self) -> None:
        """Read the API, take over what runs, and begin."""
        informers = self._in.values()
        try:
            for informer in informers:
                await informer.start()
            await asyncio.gather(*(one.synced(_SYNC_S) for one in informers))
            self._take_over()
            await self._events.start()
            for controller in self._controllers.values():
                await controller.start()
            await self._server.start()
            self._tasks = [asyncio.create_task(self.scaler.run(), name="scaler")]
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop deciding; replicas are the node's and run until it stops them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self.activator.close()
        self._ledger.close()
        await self._server.stop()
        await self.scaler.stop()
        await asyncio.gather(*(one.stop() for one in self._controllers.values()))
        await self._events.stop()
        await asyncio.gather(*(one.stop() for one in self._in.values()))

    def _take_over(self) -> None:
        """Follow the API from here on: Deployments before their Pods, settings before all."""
        self._in["config_maps"].add_handler(self._on_config)
        self._read_settings()
        self._in["deployments"].add_handler(self._on_deployment)
        self._in["pods"].add_change_handler(self._on_pod)
        self._in["revisions"].add_handler(self._on_revision)
        self._in["services"].add_handler(self._controllers["services"].on_event)
        self._in["configurations"].add_handler(self._on_configuration)
        self._in["routes"].add_change_handler(self._on_route)
        for name in ("slices", "rules"):
            self._in[name].add_handler(self._on_owned("endpoints", "Revision"))
        for name in ("pod_autoscalers", "core_services"):
            self._in[name].add_handler(self._on_owned("revisions", "Revision"))
        self._in["virtual_services"].add_handler(self._on_owned("routes", "Route"))
        self._in["core_services"].add_handler(self._controllers["service_endpoints"].on_event)
        self._in["slices"].add_handler(self._on_owned("service_endpoints", "Service"))
        self._in["pod_scalers"].add_handler(self._controllers["pod_scalers"].on_event)
        self._node.subscribe(self._on_state)

    # Wiring

    def _make_controllers(self) -> dict[str, Controller]:
        client, clock, events = self._client, self._clock, self._events
        informers = self._in
        services = Services(
            client,
            services=informers["services"],
            configurations=informers["configurations"],
            routes=informers["routes"],
            clock=clock,
        )
        configurations = Configurations(
            client,
            configurations=informers["configurations"],
            revisions=informers["revisions"],
            routes=informers["routes"],
            settings=lambda: self._settings,
            events=events,
            clock=clock,
        )
        routes = Routes(
            client,
            routes=informers["routes"],
            configurations=informers["configurations"],
            revisions=informers["revisions"],
            virtual_services=informers["virtual_services"],
            settings=lambda: self._settings,
            clock=clock,
        )
        revisions = Revisions(
            client,
            self._node,
            self.replicas,
            self.scaler,
            RevisionInformers(
                revisions=informers["revisions"],
                configurations=informers["configurations"],
                routes=informers["routes"],
                deployments=informers["deployments"],
                pod_autoscalers=informers["pod_autoscalers"],
                services=informers["core_services"],
            ),
            settings=lambda: self._settings,
            last_activation=self._ledger.newest,
            events=events,
            clock=clock,
        )
        return {
            # One API server answers them all: more at once would only wait for each other there.
            "services": Controller("knative services", services.reconcile, workers=2),
            "configurations": Controller("configurations", configurations.reconcile, workers=2),
            "routes": Controller("routes", routes.reconcile, workers=4),
            "revisions": Controller("revisions", self._unhurried(revisions.reconcile), workers=3),
            "deployments": Controller(
                "deployments", self._unhurried(self._deployments.reconcile), workers=8
            ),
            "endpoints": Controller("endpoints", self._endpoints.reconcile, workers=3),
            "service_endpoints": Controller(
                "service endpoints", self._service_endpoints.reconcile, workers=2
            ),
            "scheduler": Controller(
                "scheduler",
                Scheduler(client, pods=informers["pods"], events=events).reconcile,
                workers=2,
            ),
            "pod_scalers": Controller("pod autoscalers", self._autoscalers.reconcile, workers=1),
        }

    def _unhurried(self, reconcile: Reconcile) -> Reconcile:
        """Records follow what runs; requests that wait for a replica go before them."""

        async def later(key: Key) -> Requeue | None:
            await self.activator.calm(_CALM_S)
            return await reconcile(key)

        return later

    async def _settle_deployment(self, deployment: Key) -> bool:
        key = names.revision_key_of_deployment(deployment)
        if key is None or self._in["revisions"].get(key) is None:
            return await self._service_endpoints.settled(deployment, self._settle_s)
        return await self._endpoints.settled(key, self._settle_s)

    # Events

    def _on_config(self, _type: EventType, _obj: Object) -> None:
        if self._read_settings():
            for name in ("configurations", "routes", "revisions"):
                for obj in self._in[name].list():
                    self._controllers[name].enqueue(key_of(obj))

    def _read_settings(self) -> bool:
        """Take over the ConfigMaps; what is wrong leaves the former settings in force."""
        data = {
            one["metadata"]["name"]: one.get("data") or {} for one in self._in["config_maps"].list()
        }
        try:
            settings = parse_settings(data)
        except ValidationError as error:
            logger.error("settings unchanged: %s", error)
            return False
        changed = settings != self._settings
        self._settings = settings
        return changed

    def _on_deployment(self, type_: EventType, obj: Object) -> None:
        key = key_of(obj)
        if type_ is not EventType.DELETED:
            self._deployments.follow(obj)
        elif self.replicas.uid(key) == uid_of(obj):
            self._deployments.forget(key)
        self._controllers["deployments"].enqueue(key)
        self._enqueue_owner("revisions", "Revision", obj)
        self._autoscalers.of(key, self._controllers["pod_scalers"].enqueue)

    def _on_pod(self, type_: EventType, obj: Object, before: Object | None) -> None:
        self.replicas.observe_pod(obj, deleted=type_ is EventType.DELETED)
        former = labels_of(obj if before is None else before)
        self._enqueue_services(key_of(obj).namespace, labels_of(obj), former)
        if type_ is not EventType.DELETED and awaits_node(obj):
            self._controllers["scheduler"].enqueue(key_of(obj))

    def _on_state(self, state: PodState) -> None:
        self._ledger.observe(state)
        pod = self._in["pods"].get(Key(state.namespace, state.name))
        if pod is not None:
            self._enqueue_services(state.namespace, labels_of(pod))

    def _enqueue_services(self, namespace: str, *labels: Mapping[str, str]) -> None:
        """The Services that select pods with any of these labels."""
        for key in self._service_endpoints.selecting(namespace, *labels):
            self._controllers["service_endpoints"].enqueue(key)

    def _on_revision(self, type_: EventType, obj: Object) -> None:
        key = key_of(obj)
        if type_ is EventType.DELETED:
            self.activator.forget(key)
            self._ledger.forget(key)
        for name in ("revisions", "endpoints"):
            self._controllers[name].enqueue(key)
        configuration = labels_of(obj).get(names.CONFIGURATION_LABEL, "")
        if configuration:
            self._controllers["configurations"].enqueue(Key(key.namespace, configuration))
        self._enqueue_routes(key.namespace, {key.name, configuration})

    def _on_configuration(self, _type: EventType, obj: Object) -> None:
        key = key_of(obj)
        self._controllers["configurations"].enqueue(key)
        self._enqueue_owner("services", "Service", obj)
        self._enqueue_routes(key.namespace, {key.name})
        for revision in self._in["revisions"].indexed(BY_CONFIGURATION, key.name):
            if revision["metadata"]["namespace"] == key.namespace:
                self._controllers["revisions"].enqueue(key_of(revision))

    def _on_route(self, _type: EventType, obj: Object, before: Object | None) -> None:
        key = key_of(obj)
        self._controllers["routes"].enqueue(key)
        self._enqueue_owner("services", "Service", obj)
        # Those it left, or came to, may have another minimum now.
        former = set() if before is None else referenced(before)
        for name in former ^ referenced(obj):
            self._controllers["revisions"].enqueue(Key(key.namespace, name))

    def _enqueue_routes(self, namespace: str, referred: set[str]) -> None:
        """The routes that refer to a revision or a configuration of these names."""
        for name in referred:
            for route in self._in["routes"].indexed(BY_REFERENCE, name):
                if key_of(route).namespace == namespace:
                    self._controllers["routes"].enqueue(key_of(route))

    def _on_owned(self, controller: str, kind: str) -> Callable[[EventType, Object], None]:
        return lambda _type, obj: self._enqueue_owner(controller, kind, obj)

    def _enqueue_owner(self, controller: str, kind: str, obj: Object) -> None:
        owner = controller_of(obj)
        if owner is not None and owner["kind"] == kind:
            key = Key(obj["metadata"].get("namespace", ""), owner["name"])
            self._controllers[controller].enqueue(key)

    def _replicas_changed(self, deployment: Key) -> None:
        self._controllers["deployments"].enqueue(deployment)
        self._autoscalers.of(deployment, self._controllers["pod_scalers"].enqueue)
        for one in self.replicas.all(deployment):
            if one.retiring:
                self._enqueue_services(deployment.namespace, labels_of(one.pod))
        key = names.revision_key_of_deployment(deployment)
        if key is not None and self._in["revisions"].get(key) is not None:
            self._enqueue_revision(key)

    def _enqueue_revision(self, key: Key) -> None:
        """One that just woke is reported a moment later, with its first answer in one write."""
        after_s = _ANSWER_S if self._ledger.awaits_answer(key) else 0.0
        self._controllers["revisions"].enqueue(key, after_s=after_s)

    # What the activator asks

    def _timeout_of(self, key: Key) -> float | None:
        revision = self._in["revisions"].get(key)
        return None if revision is None else timeout_s(revision)

    async def _cluster_of(self, key: Key, endpoint: Endpoint) -> str:
        revision = self._in["revisions"].get(key)
        if revision is None or container_concurrency(revision) == 0:
            return UNLIMITED
        service = names.private_name(key.name)
        private = Key(key.namespace, service)
        if not await self._mesh.reaching(private, endpoint, self._settle_s):
            raise ActivationTimeoutError(f"revision {key}: the gateway does not reach its replica")
        return limited_cluster(service, key.namespace)

    def _revision_of_host(self, host: str) -> Key | None:
        return revision_of_host(
            host, revision=self._in["revisions"].get, route=self._in["routes"].get
        )
