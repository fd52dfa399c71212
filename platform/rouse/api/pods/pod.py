"""The pod fields that components carry inline."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Open, Quantity, Strings, atomic, keyed_by
from rouse.api.pods.containers import Container
from rouse.api.pods.volumes import Volume

__all__ = ["Affinity", "LocalObjectReference", "PodSpec", "ResourceClaimSource", "Toleration"]


class LocalObjectReference(Model):
    """An object of the same namespace, by name."""

    name: str | None = None


class Toleration(Model):
    """A taint of nodes that the pod accepts."""

    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = None


class Affinity(Model):
    """Which nodes and neighbours the pod wants or avoids; the terms are Kubernetes' own."""

    node_affinity: Open | None = None
    pod_affinity: Open | None = None
    pod_anti_affinity: Open | None = None


class HostAlias(Model):
    """Extra names in the pod's hosts file."""

    ip: str
    hostnames: Annotated[list[str] | None, atomic()] = None


class ResourceClaimSource(Model):
    """A resource claim of the pod."""

    name: str
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodSpec(Model):
    """The fields of a Kubernetes PodSpec, given directly on a component."""

    containers: Annotated[list[Container] | None, keyed_by("name")] = None
    """Containers of the pod. The one that serves is kserve-container (a single one is renamed)."""
    init_containers: Annotated[list[Container] | None, keyed_by("name")] = None
    volumes: Annotated[list[Volume] | None, keyed_by("name")] = None
    node_selector: Strings | None = None
    node_name: str | None = None
    affinity: Affinity | None = None
    tolerations: Annotated[list[Toleration] | None, atomic()] = None
    topology_spread_constraints: Annotated[list[Open] | None, atomic()] = None
    service_account_name: str | None = None
    """The ServiceAccount whose secrets and identity the replicas use."""
    service_account: str | None = None
    """The old name of serviceAccountName."""
    automount_service_account_token: bool | None = None
    image_pull_secrets: Annotated[list[LocalObjectReference] | None, atomic()] = None
    security_context: Open | None = None
    runtime_class_name: str | None = None
    scheduler_name: str | None = None
    priority: int | None = None
    priority_class_name: str | None = None
    preemption_policy: str | None = None
    restart_policy: Literal["", "Always", "OnFailure", "Never"] | None = None
    termination_grace_period_seconds: Annotated[int, Field(ge=0)] | None = None
    active_deadline_seconds: int | None = None
    dns_policy: str | None = None
    dns_config: Open | None = None
    host_network: bool | None = None
    host_pid: Annotated[bool | None, Field(alias="hostPID")] = None
    host_ipc: Annotated[bool | None, Field(alias="hostIPC")] = None
    host_users: bool | None = None
    host_aliases: Annotated[list[HostAlias] | None, atomic()] = None
    hostname: str | None = None
    hostname_override: str | None = None
    subdomain: str | None = None
    set_hostname_as_fqdn: Annotated[bool | None, Field(alias="setHostnameAsFQDN")] = None
    share_process_namespace: bool | None = None
    enable_service_links: bool | None = None
    readiness_gates: Annotated[list[Open] | None, atomic()] = None
    scheduling_gates: Annotated[list[Open] | None, atomic()] = None
    resource_claims: Annotated[list[ResourceClaimSource] | None, keyed_by("name")] = None
    resources: Open | None = None
    overhead: dict[str, Quantity] | None = None
    os: Open | None = None
