"""The PersistentVolume and the PersistentVolumeClaim that hold a group's copies.

What names nodes, sizes and folders is typed; the sources of clouds and storage systems are open.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rouse.api.base import Model, Open, Quantity, atomic
from rouse.api.pods.volumes import HostPathVolume

__all__ = ["VOLUME_SOURCES", "PersistentVolumeClaimSpec", "PersistentVolumeSpec"]

AccessMode = Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]
VolumeMode = Literal["Filesystem", "Block"]


class NodeSelectorRequirement(Model):
    """One condition about a label or field of a node."""

    key: str
    """The label or field."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How its value is compared."""
    values: Annotated[list[str] | None, atomic()] = None
    """What its value is compared with."""


class NodeSelectorTerm(Model):
    """Conditions that all hold for a node."""

    match_expressions: Annotated[list[NodeSelectorRequirement] | None, atomic()] = None
    """Conditions about the labels of a node."""
    match_fields: Annotated[list[NodeSelectorRequirement] | None, atomic()] = None
    """Conditions about the fields of a node."""


class NodeSelector(Model):
    """The nodes for which one of the terms holds."""

    node_selector_terms: Annotated[list[NodeSelectorTerm], Field(min_length=1), atomic()]
    """The terms; a node is chosen as soon as one holds."""


class VolumeNodeAffinity(Model):
    """The nodes from which the volume is reached."""

    required: NodeSelector | None = None


class LocalVolume(Model):
    """A folder or disk of the node."""

    path: str
    """Where it is on the node."""
    fs_type: str | None = None
    """The file system, for a disk."""


class ClaimResources(Model):
    """How much room the claim asks for."""

    requests: dict[str, Quantity] | None = None
    """Room at least; storage: 10Gi."""
    limits: dict[str, Quantity] | None = None
    """Room at most."""


class PersistentVolumeSpec(Model):
    """The volume made for the group; it has exactly one source, such as local or hostPath."""

    capacity: dict[str, Quantity] | None = None
    """Room in the volume; storage: 10Gi."""
    access_modes: Annotated[list[AccessMode] | None, atomic()] = None
    """How the volume can be mounted."""
    persistent_volume_reclaim_policy: Literal["Retain", "Delete", "Recycle"] | None = None
    """What becomes of the data when the claim is deleted."""
    storage_class_name: str | None = None
    """The StorageClass; it is the same in the claim."""
    volume_mode: VolumeMode | None = None
    """Filesystem, the default, or Block."""
    mount_options: Annotated[list[str] | None, atomic()] = None
    """Options of the mount command."""
    volume_attributes_class_name: str | None = None
    """The VolumeAttributesClass of the volume."""
    node_affinity: VolumeNodeAffinity | None = None
    """The nodes of the group."""
    claim_ref: Open | None = None
    """The claim the volume is bound to; set when a claim is made."""
    local: LocalVolume | None = None
    host_path: HostPathVolume | None = None
    csi: Open | None = None
    """A volume of a CSI driver."""
    nfs: Open | None = None
    """A folder of an NFS server."""
    aws_elastic_block_store: Open | None = None
    """A disk of AWS."""
    azure_disk: Open | None = None
    """A disk of Azure."""
    azure_file: Open | None = None
    """A file share of Azure."""
    cephfs: Open | None = None
    """A Ceph file system."""
    cinder: Open | None = None
    """A disk of OpenStack."""
    fc: Open | None = None
    """A Fibre Channel disk."""
    flex_volume: Open | None = None
    """A volume of a Flex driver."""
    flocker: Open | None = None
    """A Flocker volume."""
    gce_persistent_disk: Open | None = None
    """A disk of Google Cloud."""
    glusterfs: Open | None = None
    """A Gluster volume."""
    iscsi: Open | None = None
    """An iSCSI disk."""
    photon_persistent_disk: Open | None = None
    """A disk of Photon."""
    portworx_volume: Open | None = None
    """A Portworx volume."""
    quobyte: Open | None = None
    """A Quobyte volume."""
    rbd: Open | None = None
    """A Ceph block device."""
    scale_io: Annotated[Open | None, Field(alias="scaleIO")] = None
    """A ScaleIO volume."""
    storageos: Open | None = None
    """A StorageOS volume."""
    vsphere_volume: Open | None = None
    """A disk of vSphere."""


VOLUME_SOURCES = (
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
)
"""The fields of a PersistentVolumeSpec of which a volume has exactly one."""


class PersistentVolumeClaimSpec(Model):
    """The claim made in each namespace that uses the group's copies."""

    access_modes: Annotated[list[AccessMode] | None, atomic()] = None
    """How the volume is mounted."""
    resources: ClaimResources | None = None
    storage_class_name: str | None = None
    """The StorageClass; it is the same in the volume."""
    volume_mode: VolumeMode | None = None
    """Filesystem, the default, or Block."""
    volume_name: str | None = None
    """The volume to bind to; set when the claim is made."""
    selector: Open | None = None
    """Labels of the volumes that can be bound."""
    data_source: Open | None = None
    """What the volume is filled from."""
    data_source_ref: Open | None = None
    """What the volume is filled from, of any kind."""
    volume_attributes_class_name: str | None = None
    """The VolumeAttributesClass of the volume."""
