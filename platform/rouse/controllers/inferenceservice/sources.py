"""What the controller reads: its informers, and what they say about one InferenceService."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rouse.api.base import Object
from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, KSERVE_CONFIG_MAP
from rouse.compiler.names import ACCESS_NAMESPACE_LABEL, SERVICE_LABEL
from rouse.controllers.keepalive.fields import with_own_fields
from rouse.controllers.writing.pods import what_pods_tell
from rouse.controllers.writing.policies import by_protected
from rouse.kube.client import KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key, key_of, labels_of, uid_of
from rouse.kube.resources import (
    AUTHORIZATION_POLICIES,
    CLUSTER_SERVING_RUNTIMES,
    CLUSTER_STORAGE_CONTAINERS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    OPEN_TELEMETRY_COLLECTORS,
    PODS,
    REVISIONS,
    SCALED_OBJECTS,
    SERVICES,
    SERVING_RUNTIMES,
    VIRTUAL_SERVICES,
    Resource,
)

__all__ = ["KNATIVE_SERVICE_LABEL", "KSERVE_NAMESPACE", "Sources"]

KNATIVE_SERVICE_LABEL: Final = "serving.knative.dev/service"

KSERVE_NAMESPACE: Final = "kserve"
"""Where KServe's own configuration is, on a cluster that had KServe before."""

_OWNED: Final = (
    KNATIVE_SERVICES,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    VIRTUAL_SERVICES,
    SERVICES,
    SCALED_OBJECTS,
    OPEN_TELEMETRY_COLLECTORS,
)
"""What the modes Knative and Standard make."""

_OPTIONAL: Final = frozenset({SCALED_OBJECTS, OPEN_TELEMETRY_COLLECTORS})
"""Kinds that not every cluster has: KEDA's and OpenTelemetry's."""

_BY_SERVICE: Final = "inferenceservice"
_RESYNC_S: Final = 36_000.0
"""Ten hours, as controller-runtime: only against what no watch could tell."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The informers; of the kinds it owns the controller only sees what carries its label."""

    services: Informer
    owned: Mapping[Resource, Informer]
    policies: Informer
    """Of the gateway's pods, so in another namespace and without an owner."""
    revisions: Informer
    pods: Informer
    runtimes: Informer
    cluster_runtimes: Informer
    storage_containers: Informer
    config: Informer
    kserve_config: Informer

    @classmethod
    def of(cls, client: KubeClient) -> Sources:
        """Make the informers; none is started."""
        # There may be thousands of each: as dictionaries they would take ten times the memory.
        ours = InformerOptions(labels=SERVICE_LABEL, packed=True)
        revisions = Informer(client, REVISIONS, options=replace(ours, keep=with_own_fields))
        revisions.add_index(_BY_SERVICE, _service_of)
        policies = Informer(
            client,
            AUTHORIZATION_POLICIES,
            options=InformerOptions(labels=ACCESS_NAMESPACE_LABEL, optional=True),
        )
        policies.add_index(_BY_SERVICE, by_protected(SERVICE_LABEL))
        pods = Informer(client, PODS, options=replace(ours, keep=what_pods_tell))
        pods.add_index(_BY_SERVICE, _service_of)
        return cls(
            services=Informer(
                client,
                INFERENCE_SERVICES,
                options=InformerOptions(resync=_RESYNC_S, packed=True),
            ),
            owned={
                each: Informer(client, each, options=replace(ours, optional=each in _OPTIONAL))
                for each in _OWNED
            },
            policies=policies,
            revisions=revisions,
            pods=pods,
            runtimes=Informer(client, SERVING_RUNTIMES),
            cluster_runtimes=Informer(client, CLUSTER_SERVING_RUNTIMES),
            storage_containers=Informer(client, CLUSTER_STORAGE_CONTAINERS),
            config=_config_map(client, CONFIG_NAMESPACE, CONFIG_MAP),
            kserve_config=_config_map(client, KSERVE_NAMESPACE, KSERVE_CONFIG_MAP),
        )

    def all(self) -> tuple[Informer, ...]:
        """Return all informers."""
        return (
            self.services,
            *self.owned.values(),
            self.policies,
            self.revisions,
            self.pods,
            self.runtimes,
            self.cluster_runtimes,
            self.storage_containers,
            self.config,
            self.kserve_config,
        )

    def owned_by(self, service: Mapping[str, Any]) -> Iterator[Object]:
        """Yield the objects that belong to an InferenceService."""
        for informer in self.owned.values():
            yield from informer.owned_by(uid_of(service))

    def policies_of(self, key: Key) -> list[Object]:
        """Return the policies of an InferenceService, which may be gone."""
        return list(self.policies.indexed(_BY_SERVICE, str(key)))

    def revisions_of(self, service: Mapping[str, Any]) -> dict[str, Object]:
        """Return the revisions of an InferenceService by name."""
        found = self.revisions.indexed(_BY_SERVICE, str(key_of(service)))
        return {revision["metadata"]["name"]: revision for revision in found}

    def pods_of(self, service: Mapping[str, Any]) -> list[Object]:
        """Return what is kept of an InferenceService's pods."""
        return list(self.pods.indexed(_BY_SERVICE, str(key_of(service))))


def _config_map(client: KubeClient, namespace: str, name: str) -> Informer:
    return Informer(client, CONFIG_MAPS, namespace, InformerOptions(fields=f"metadata.name={name}"))


def _service_of(obj: Mapping[str, Any]) -> tuple[str, ...]:
    name = labels_of(obj).get(SERVICE_LABEL)
    return (str(Key(key_of(obj).namespace, name)),) if name else ()
