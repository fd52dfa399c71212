"""LocalModelNodeGroup, serving.kserve.io/v1alpha1."""

from __future__ import annotations

from typing import Literal

from rouse.api.base import Model, Object, Quantity
from rouse.api.localmodelnodegroup.volumes import PersistentVolumeClaimSpec, PersistentVolumeSpec
from rouse.api.meta import ObjectMeta

__all__ = ["LocalModelNodeGroup", "LocalModelNodeGroupSpec", "LocalModelNodeGroupStatus"]


class LocalModelNodeGroupSpec(Model):
    """Nodes of one kind and the disks on which they keep models."""

    storage_limit: Quantity
    """Room for models on each node, such as 100Gi."""
    persistent_volume_spec: PersistentVolumeSpec
    """The volume that holds the models; its nodeAffinity chooses the nodes."""
    persistent_volume_claim_spec: PersistentVolumeClaimSpec
    """The claim through which replicas mount the models."""


class LocalModelNodeGroupStatus(Model):
    """What was observed of the nodes of a group."""

    used: Quantity = None
    """Room the models take."""
    available: Quantity = None
    """Room that is left."""


class LocalModelNodeGroup(Model):
    """The nodes that can keep copies of models, and where on them."""

    api_version: Literal["serving.kserve.io/v1alpha1"]
    kind: Literal["LocalModelNodeGroup"]
    metadata: ObjectMeta
    spec: LocalModelNodeGroupSpec
    status: Object | None = None
    """What was observed; typed in `LocalModelNodeGroupStatus`, read here as it is."""
