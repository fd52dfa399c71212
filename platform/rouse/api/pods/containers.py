"""Containers: image, command, environment, resources, ports, mounts, probes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Open, Quantity, atomic, keyed_by
from rouse.api.pods.probes import Probe

__all__ = ["Container", "ContainerFields", "EnvVar", "ResourceRequirements"]

Port = Annotated[int, Field(ge=1, le=65535)]


class KeySelector(Model):
    """One key of a ConfigMap or Secret in the same namespace."""

    name: str | None = None
    key: str
    optional: bool | None = None
    """Whether the pod may start when the object or the key is not there."""


class EnvVarSource(Model):
    """Where the value of an environment variable comes from."""

    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    field_ref: Open | None = None
    resource_field_ref: Open | None = None
    file_key_ref: Open | None = None


class EnvVar(Model):
    """An environment variable."""

    name: str
    value: str | None = None
    """The value; $(NAME) refers to a variable defined before."""
    value_from: EnvVarSource | None = None


class EnvFromObject(Model):
    """A ConfigMap or Secret whose every key becomes a variable."""

    name: str | None = None
    optional: bool | None = None


class EnvFromSource(Model):
    """Variables taken from a whole ConfigMap or Secret."""

    prefix: str | None = None
    config_map_ref: EnvFromObject | None = None
    secret_ref: EnvFromObject | None = None


class ContainerPort(Model):
    """A port the container listens on; a port named h2c speaks HTTP/2 without TLS (gRPC)."""

    container_port: Port
    name: str | None = None
    protocol: Annotated[
        Literal["TCP", "UDP", "SCTP"] | None, Field(json_schema_extra={"default": "TCP"})
    ] = None
    host_ip: Annotated[str | None, Field(alias="hostIP")] = None
    host_port: int | None = None


class ResourceClaim(Model):
    """A claim of the pod that this container uses."""

    name: str
    request: str | None = None


class ResourceRequirements(Model):
    """What a container asks for (requests) and may use at most (limits)."""

    limits: dict[str, Quantity] | None = None
    requests: dict[str, Quantity] | None = None
    claims: Annotated[list[ResourceClaim] | None, keyed_by("name")] = None


class VolumeMount(Model):
    """Where a volume of the pod appears in the container."""

    name: str
    mount_path: str
    sub_path: str | None = None
    sub_path_expr: str | None = None
    read_only: bool | None = None
    recursive_read_only: str | None = None
    mount_propagation: str | None = None


class VolumeDevice(Model):
    """Where a block device of the pod appears in the container."""

    name: str
    device_path: str


class ContainerFields(Model):
    """Every field of a container; the name is required only where there can be several."""

    name: str | None = None
    image: str | None = None
    """The image to run."""
    command: Annotated[list[str] | None, atomic()] = None
    """Replaces the entry point of the image."""
    args: Annotated[list[str] | None, atomic()] = None
    """Arguments; those of predictor.model come after those of its runtime."""
    working_dir: str | None = None
    env: Annotated[list[EnvVar] | None, keyed_by("name")] = None
    env_from: Annotated[list[EnvFromSource] | None, atomic()] = None
    ports: Annotated[list[ContainerPort] | None, keyed_by("containerPort", "protocol")] = None
    resources: ResourceRequirements | None = None
    resize_policy: Annotated[list[Open] | None, atomic()] = None
    volume_mounts: Annotated[list[VolumeMount] | None, keyed_by("mountPath")] = None
    volume_devices: Annotated[list[VolumeDevice] | None, keyed_by("devicePath")] = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Open | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    security_context: Open | None = None
    restart_policy: str | None = None
    restart_policy_rules: Annotated[list[Open] | None, atomic()] = None
    termination_message_path: str | None = None
    termination_message_policy: Literal["File", "FallbackToLogsOnError"] | None = None
    stdin: bool | None = None
    stdin_once: bool | None = None
    tty: bool | None = None


class Container(ContainerFields):
    """A container of a pod."""

    name: str
    """Unique in the pod; the one that serves is kserve-container."""
