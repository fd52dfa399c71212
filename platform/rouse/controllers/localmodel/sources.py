"""What the controllers of caches read, and whose reconcile a change asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rouse.api.base import Object
from rouse.compiler.config import Config
from rouse.controllers.localmodel.services import Use, use_of
from rouse.kube.client import EventType, KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key, key_of
from rouse.kube.resources import NODES, RESOURCES, Resource

__all__ = ["CACHES", "CLAIMS", "LOCAL_NODES", "NAMESPACE_CACHES", "VOLUMES", "Sources"]

_V1ALPHA1: Final = "serving.kserve.io/v1alpha1"
CACHES: Final = RESOURCES[_V1ALPHA1, "LocalModelCache"]
NAMESPACE_CACHES: Final = RESOURCES[_V1ALPHA1, "LocalModelNamespaceCache"]
LOCAL_NODES: Final = RESOURCES[_V1ALPHA1, "LocalModelNode"]
GROUPS: Final = RESOURCES[_V1ALPHA1, "LocalModelNodeGroup"]
VOLUMES: Final = RESOURCES["v1", "PersistentVolume"]
CLAIMS: Final = RESOURCES["v1", "PersistentVolumeClaim"]

Enqueue = Callable[[Key], None]


@dataclass(slots=True)
class Sources:
    """The informers, and what was read of each InferenceService."""

    services: Informer
    """The InferenceServices' controller's own copy: it is not kept twice."""
    config: Callable[[], Config]
    caches: Informer
    namespace_caches: Informer
    groups: Informer
    local_nodes: Informer
    nodes: Informer
    pods: Informer
    """What is kept of the InferenceServices' pods; somebody else's too."""
    image_of: Callable[[Key], str]
    """The image of a service's server, as the nodes that have it call it; empty: unknown."""
    _uses: dict[Key, Use] = field(default_factory=dict)
    _read_with: Config | None = None

    @classmethod
    def of(
        cls,
        client: KubeClient,
        services: Informer,
        pods: Informer,
        image_of: Callable[[Key], str],
        config: Callable[[], Config],
    ) -> Sources:
        """Make the informers; none is started."""

        def informer(resource: Resource) -> Informer:
            return Informer(client, resource, options=InformerOptions(optional=True, packed=True))

        nodes = Informer(client, NODES, options=InformerOptions(packed=True, keep=_what_matters))
        return cls(
            services,
            config,
            informer(CACHES),
            informer(NAMESPACE_CACHES),
            informer(GROUPS),
            informer(LOCAL_NODES),
            nodes,
            pods,
            image_of,
        )

    def own(self) -> tuple[Informer, ...]:
        """Return the informers that are to be started here."""
        return (self.caches, self.namespace_caches, self.groups, self.local_nodes, self.nodes)

    def groups_by_name(self) -> dict[str, Object]:
        """Return the LocalModelNodeGroups."""
        return {group["metadata"]["name"]: group for group in self.groups.list()}

    def all_caches(self) -> list[Object]:
        """Return the caches of both kinds."""
        return [*self.caches.list(), *self.namespace_caches.list()]

    def cache(self, key: Key) -> Object | None:
        """Return a cache; without a namespace it is the cluster's."""
        return (self.namespace_caches if key.namespace else self.caches).get(key)

    def uses(self) -> list[Use]:
        """Return what every InferenceService wants."""
        if self._read_with is not self.config():
            self._read_with = self.config()
            self._uses = {}
            for service in self.services.list():
                self._read(service)
        return list(self._uses.values())

    def connect(self, node: Enqueue, cache: Enqueue, plan: Callable[[], None]) -> None:
        """Let every change enqueue the nodes, caches and plans that it can matter to."""

        def all_nodes() -> None:
            plan()
            for key in self.nodes.all_keys():
                node(key)

        def all_caches() -> None:
            for informer in (self.caches, self.namespace_caches):
                for key in informer.all_keys():
                    cache(key)

        def on_cache(_type: EventType, obj: Object) -> None:
            cache(key_of(obj))
            all_nodes()

        def on_group(_type: EventType, _obj: Object) -> None:
            all_nodes()
            all_caches()

        def on_local(_type: EventType, obj: Object) -> None:
            node(key_of(obj))
            plan()
            all_caches()

        def on_node(type_: EventType, obj: Object, before: Object | None) -> None:
            # A heartbeat every few seconds tells nothing new.
            if type_ is EventType.DELETED or _summary(obj) != _summary(before):
                node(key_of(obj))
                plan()
                all_caches()

        def on_service(type_: EventType, obj: Object) -> None:
            before = self._uses.get(key_of(obj))
            if type_ is EventType.DELETED:
                self._uses.pop(key_of(obj), None)
            else:
                self._read(obj)
            if self._uses.get(key_of(obj)) != before:
                all_nodes()
                all_caches()

        self.caches.add_handler(on_cache)
        self.namespace_caches.add_handler(on_cache)
        self.groups.add_handler(on_group)
        self.local_nodes.add_handler(on_local)
        self.nodes.add_change_handler(on_node)
        self.services.add_handler(on_service)

    def _read(self, service: Object) -> None:
        use = use_of(service, self.config())
        if use.uris:
            self._uses[use.service] = use
        else:
            self._uses.pop(use.service, None)


def _what_matters(node: Object) -> Object:
    """Keep a node's name, labels, whether it is ready, and its images: name to bytes."""
    metadata = node["metadata"]
    names = ("name", "uid", "labels", "resourceVersion", "deletionTimestamp")
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = [{k: e.get(k) for k in ("type", "status")} for e in conditions if e["type"] == "Ready"]
    images = (node.get("status") or {}).get("images") or []
    named = {name: e.get("sizeBytes") or 0 for e in images for name in e.get("names") or ()}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {name: metadata[name] for name in names if name in metadata},
        "status": {"conditions": ready, "images": named},
    }


def _summary(node: Mapping[str, Any] | None) -> Object:
    if node is None:
        return {}
    metadata = {k: v for k, v in node["metadata"].items() if k != "resourceVersion"}
    return {"metadata": metadata, "conditions": node["status"]["conditions"]}
