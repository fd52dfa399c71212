"""Volumes: the sources Knative takes are typed, the others open."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Open, Quantity, atomic

__all__ = ["KNATIVE_SOURCES", "Volume"]


class KeyToPath(Model):
    """One key of a ConfigMap or Secret and the file it becomes."""

    key: str
    path: str
    mode: int | None = None


class ConfigMapVolume(Model):
    """A ConfigMap as files."""

    name: str | None = None
    items: Annotated[list[KeyToPath] | None, atomic()] = None
    default_mode: int | None = None
    optional: bool | None = None


class SecretVolume(Model):
    """A Secret as files."""

    secret_name: str | None = None
    items: Annotated[list[KeyToPath] | None, atomic()] = None
    default_mode: int | None = None
    optional: bool | None = None


class EmptyDirVolume(Model):
    """An empty folder that lives as long as the pod."""

    medium: Annotated[str, Field(pattern=r"^(|Memory|HugePages(-[0-9]+[KMGTPE]i)?)$")] | None = None
    """Memory, HugePages or HugePages-<size>; the node's disk when not given."""
    size_limit: Quantity = None


class ClaimVolume(Model):
    """A PersistentVolumeClaim of the same namespace."""

    claim_name: str
    read_only: bool | None = None


class HostPathVolume(Model):
    """A folder or file of the node."""

    path: str
    type: str | None = None


class ImageVolume(Model):
    """An OCI image as a read-only volume."""

    reference: str | None = None
    pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None


class Volume(Model):
    """A volume of the pod: a name and exactly one source."""

    name: str
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    empty_dir: EmptyDirVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    host_path: HostPathVolume | None = None
    image: ImageVolume | None = None
    projected: Open | None = None
    csi: Open | None = None
    ephemeral: Open | None = None
    downward_api: Annotated[Open | None, Field(alias="downwardAPI")] = None
    nfs: Open | None = None
    aws_elastic_block_store: Open | None = None
    azure_disk: Open | None = None
    azure_file: Open | None = None
    cephfs: Open | None = None
    cinder: Open | None = None
    fc: Open | None = None
    flex_volume: Open | None = None
    flocker: Open | None = None
    gce_persistent_disk: Open | None = None
    git_repo: Open | None = None
    glusterfs: Open | None = None
    iscsi: Open | None = None
    photon_persistent_disk: Open | None = None
    portworx_volume: Open | None = None
    quobyte: Open | None = None
    rbd: Open | None = None
    scale_io: Annotated[Open | None, Field(alias="scaleIO")] = None
    storageos: Open | None = None
    vsphere_volume: Open | None = None


KNATIVE_SOURCES = frozenset(
    {
        "configMap",
        "csi",
        "emptyDir",
        "ephemeral",
        "hostPath",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
"""The volume sources a Knative Service may have."""
