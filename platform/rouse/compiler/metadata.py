"""Metadata of the wanted objects, and the annotations that steer Rouse."""

from __future__ import annotations

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.annotations import STEERING, STOP, VISIBILITY
from rouse.api.inferenceservice.modes import MODE_ANNOTATION
from rouse.api.localmodelnode.names import CLAIM_ANNOTATION, SERVICE_CACHE_LABEL
from rouse.compiler.autoscaling import MAX_SCALE, MIN_SCALE
from rouse.compiler.config import Config
from rouse.compiler.names import COMPONENT_LABEL, MANAGED_BY, owner_label
from rouse.compiler.owner import Owner

__all__ = ["is_cluster_local", "is_stopped", "make_metadata", "pod_annotations", "pod_labels"]

# These say again what the spec says: a change of one makes no new revision.
_NOT_FOR_PODS = STEERING | {
    "kubectl.kubernetes.io/last-applied-configuration",
    CLAIM_ANNOTATION,
    MAX_SCALE,
    MIN_SCALE,
    MODE_ANNOTATION,
}


def make_metadata(owner: Owner, name: str, component: str | None = None) -> Object:
    """Return the metadata of an object that an InferenceService or InferenceGraph owns."""
    labels = {**owner.labels, **MANAGED_BY, owner_label(owner.kind): owner.name}
    if component is not None:
        labels[COMPONENT_LABEL] = component
    reference = {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.metadata.uid or "",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": labels,
        "ownerReferences": [reference],
    }


def pod_annotations(owner: Owner, config: Config) -> Strings:
    """Return the owner's annotations that its pods carry."""
    refused, only = config.annotations_disallowed, config.annotations_allowed
    return {
        key: value
        for key, value in owner.annotations.items()
        if key not in _NOT_FOR_PODS and key not in refused and (not only or key in only)
    }


def pod_labels(owner: Owner, config: Config) -> Strings:
    """Return the owner's labels that its pods carry."""
    # That a cache came or went makes no new revision.
    refused = (*config.labels_disallowed, SERVICE_CACHE_LABEL)
    return {key: value for key, value in owner.labels.items() if key not in refused}


def is_stopped(owner: Owner) -> bool:
    """Whether nothing of it shall run."""
    return owner.annotations.get(STOP, "").lower() == "true"


def is_cluster_local(owner: Owner) -> bool:
    """Whether it is not to be reached from outside the cluster."""
    return "cluster-local" in (owner.labels.get(VISIBILITY), owner.annotations.get(VISIBILITY))
