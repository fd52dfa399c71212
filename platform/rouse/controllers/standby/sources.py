"""What the controllers of standby pods read, and what of it asks for a standby."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from rouse.api.base import Object, Strings
from rouse.coldstart.standby import Group, Place
from rouse.compiler.config import Config
from rouse.compiler.names import MANAGED_BY, SERVICE_LABEL
from rouse.controllers.standby.names import CLAIM, HASH_LABEL, KEY_ANNOTATION, STANDBY_LABEL
from rouse.controllers.standby.shape import Fit, UnfitError, fit_of
from rouse.kube.client import EventType, KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import (
    Key,
    condition_of,
    controller_of,
    key_of,
    labels_match,
    labels_of,
    uid_of,
)
from rouse.kube.resources import DEPLOYMENTS, PODS, RESOURCES

__all__ = ["REPLICA_SETS", "Sources", "is_waking"]

REPLICA_SETS: Final = RESOURCES["apps/v1", "ReplicaSet"]
_BY_SHAPE: Final = "shape"
_POD_FIELDS: Final = ("name", "namespace", "uid", "resourceVersion", "labels", "deletionTimestamp")


@dataclass(frozen=True, slots=True)
class _Sleeper:
    """A Deployment that a standby pod could serve for."""

    place: Place
    memory: int
    service: Key
    asleep: bool


@dataclass(slots=True)
class Sources:
    """The informers, and what was read of each Deployment. Nothing is read while nothing is set."""

    services: Informer
    deployments: Informer
    storage_containers: Informer
    """These three are the InferenceServices' controller's own: they are not kept twice."""
    config: Callable[[], Config]
    replica_sets: Informer
    pools: Informer
    pods: Informer
    taken: Counter[Key] = field(default_factory=Counter)
    """How many standby pods are on their way to a Deployment, or were a moment ago: they are still
    counted where they come from."""
    _sleepers: dict[Key, _Sleeper] = field(default_factory=dict)
    _runtimes: dict[Key, str] = field(default_factory=dict)
    _examples: dict[Place, Key] = field(default_factory=dict)
    _read_with: Config | None = None

    @classmethod
    def of(
        cls,
        client: KubeClient,
        services: Informer,
        deployments: Informer,
        storage_containers: Informer,
        config: Callable[[], Config],
    ) -> Sources:
        """Make the informers; none is started."""
        replica_sets = Informer(
            client,
            REPLICA_SETS,
            options=InformerOptions(
                labels=SERVICE_LABEL, packed=True, optional=True, keep=_what_sets_tell
            ),
        )
        pods = Informer(
            client, PODS, options=InformerOptions(labels=STANDBY_LABEL, keep=_what_pods_tell)
        )
        pods.add_index(_BY_SHAPE, _shape_of)
        pools = Informer(client, DEPLOYMENTS, options=InformerOptions(labels=STANDBY_LABEL))
        return cls(services, deployments, storage_containers, config, replica_sets, pools, pods)

    def own(self) -> tuple[Informer, ...]:
        """Return the informers that are to be started here."""
        return self.replica_sets, self.pools, self.pods

    def connect(self, shared_out: Callable[[], None], woken: Callable[[Key], None]) -> None:
        """Call ``shared_out`` when pods may have to be shared out anew, ``woken`` for who wakes."""

        def on_deployment(type_: EventType, obj: Object) -> None:
            key = key_of(obj)
            before = self._sleepers.pop(key, None)
            if type_ is not EventType.DELETED and self.config().standby:
                self._read(obj)
                if is_waking(obj):
                    woken(key)
            if self._sleepers.get(key) != before:
                shared_out()

        def on_service(type_: EventType, obj: Object) -> None:
            key, before = key_of(obj), self._runtimes.get(key_of(obj), "")
            name = _runtime_of(obj) if type_ is not EventType.DELETED else ""
            if name:
                self._runtimes[key] = name
            else:
                self._runtimes.pop(key, None)
            if name != before:
                shared_out()

        def on_other(_type: EventType, _obj: Object) -> None:
            shared_out()

        def on_replica_set(_type: EventType, obj: Object) -> None:
            owner = controller_of(obj)
            if owner is not None and self.config().standby:
                woken(Key(key_of(obj).namespace, owner["name"]))
            shared_out()

        def on_pod(_type: EventType, obj: Object) -> None:
            claim = obj["annotations"].get(CLAIM)
            if claim is not None and Key(key_of(obj).namespace, claim) not in self.taken:
                shared_out()

        self.deployments.add_handler(on_deployment)
        self.services.add_handler(on_service)
        self.replica_sets.add_handler(on_replica_set)
        self.pools.add_handler(on_other)
        self.pods.add_handler(on_pod)

    def groups(self) -> list[Group]:
        """Return how many services sleep in each place.

        Nothing where there are no ReplicaSets to adopt the pods, as on the embedded engine.
        """
        if not len(self.replica_sets):
            return []
        if self._read_with is not self.config():
            self._read_with = self.config()
            self._sleepers = {}
            for deployment in self.deployments.list() if self.config().standby else ():
                self._read(deployment)
        counted: dict[tuple[Place, str], list[_Sleeper]] = {}
        self._examples = {}
        for key, each in self._sleepers.items():
            runtime = self._runtimes.get(each.service)
            if runtime is not None and (each.asleep or key in self.taken):
                counted.setdefault((each.place, runtime), []).append(each)
                self._examples[each.place] = key
        return [
            Group(place, runtime, len(sleepers), sleepers[0].memory)
            for (place, runtime), sleepers in counted.items()
        ]

    def fit(self, deployment: Mapping[str, Any]) -> Fit | None:
        """Return how a standby pod becomes one of a Deployment's; None where it cannot."""
        if not labels_match(MANAGED_BY, deployment):
            return None  # a revision's, which Knative wakes
        try:
            return fit_of(deployment["spec"]["template"], self.storage_containers.list())
        except UnfitError:
            return None

    def example(self, place: Place) -> Fit | None:
        """Return the fit of one of the Deployments that `groups` found in a place."""
        key = self._examples.get(place)
        deployment = self.deployments.get(key) if key is not None else None
        fit = self.fit(deployment) if deployment is not None else None
        # It may have changed since.
        return fit if fit is not None and fit.shape.digest == place.shape else None

    def replica_set_of(self, deployment: Mapping[str, Any]) -> Object | None:
        """Return the ReplicaSet of a Deployment's present template, as its controller finds it."""
        wanted = _template_digest(deployment["spec"]["template"])
        for each in self.replica_sets.owned_by(uid_of(deployment)):
            if each["digest"] == wanted:
                return each
        return None

    def waiting(self, place: Place, key: str) -> Iterator[Object]:
        """Yield the pods of a place that are ready for a model and obey the key, oldest first."""
        pods = self.pods.indexed(_BY_SHAPE, str(place))
        for pod in sorted(pods, key=lambda each: (each["created"], each["metadata"]["name"])):
            annotations: Strings = pod["annotations"]
            ready = condition_of(pod, "Ready") or {}
            if (
                ready.get("status") == "True"
                and CLAIM not in annotations
                and annotations.get(KEY_ANNOTATION) == key
                and not pod["metadata"].get("deletionTimestamp")
            ):
                yield pod

    def _read(self, deployment: Object) -> None:
        fit = self.fit(deployment)
        service = labels_of(deployment).get(SERVICE_LABEL)
        if fit is None or service is None:
            return
        key = key_of(deployment)
        place = Place(key.namespace, fit.shape.digest)
        asleep = deployment["spec"].get("replicas", 1) == 0
        self._sleepers[key] = _Sleeper(place, fit.shape.memory, Key(key.namespace, service), asleep)


def is_waking(deployment: Mapping[str, Any]) -> bool:
    """Whether replicas are wanted, and none is there."""
    status = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    return bool(wanted) and not status.get("readyReplicas")


def _runtime_of(service: Mapping[str, Any]) -> str:
    status = service.get("status") or {}
    name = status.get("servingRuntimeName") or status.get("clusterServingRuntimeName")
    return str(name or "")


def _shape_of(pod: Mapping[str, Any]) -> tuple[str, ...]:
    return (str(Place(key_of(pod).namespace, labels_of(pod).get(STANDBY_LABEL, ""))),)


def _what_pods_tell(pod: Object) -> Object:
    metadata, status = pod["metadata"], pod.get("status") or {}
    ready = [each for each in status.get("conditions") or () if each["type"] == "Ready"]
    return {
        "metadata": {name: metadata[name] for name in _POD_FIELDS if name in metadata},
        "annotations": metadata.get("annotations") or {},
        "created": metadata.get("creationTimestamp", ""),
        "status": {"podIP": status.get("podIP", ""), "conditions": ready},
    }


def _what_sets_tell(replica_set: Object) -> Object:
    metadata, template = replica_set["metadata"], replica_set["spec"]["template"]
    kept = ("name", "namespace", "uid", "resourceVersion", "ownerReferences")
    return {
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "labels": (template.get("metadata") or {}).get("labels") or {},
        "digest": _template_digest(template),
    }


def _template_digest(template: Mapping[str, Any]) -> str:
    """Return the digest of a pod template but for the hash that a ReplicaSet's carries."""
    metadata = template.get("metadata") or {}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH_LABEL}
    content = [labels, metadata.get("annotations") or {}, template["spec"]]
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
