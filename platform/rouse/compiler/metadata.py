"""Metadata of the wanted objects, and the annotations that steer Rouse."""

from __future__ import annotations

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.annotations import STEERING, STOP, VISIBILITY
from rouse.api.inferenceservice.modes import MODE_ANNOTATION
from rouse.api.inferenceservice.types import InferenceService
from rouse.api.localmodelnode.names import CLAIM_ANNOTATION, SERVICE_CACHE_LABEL
from rouse.compiler.autoscaling import MAX_SCALE, MIN_SCALE
from rouse.compiler.config import Config
from rouse.compiler.names import COMPONENT_LABEL, MANAGED_BY, SERVICE_LABEL

__all__ = ["is_cluster_local", "is_stopped", "make_metadata", "pod_annotations", "pod_labels"]

# These say again what the spec says: a change of one makes no new revision.
_NOT_FOR_PODS = STEERING | {
    "kubectl.kubernetes.io/last-applied-configuration",
    CLAIM_ANNOTATION,
    MAX_SCALE,
    MIN_SCALE,
    MODE_ANNOTATION,
}


def make_metadata(isvc: InferenceService, name: str, component: str | None = None) -> Object:
    """Return the metadata of an object that the InferenceService owns."""
    labels = {**isvc.labels, **MANAGED_BY, SERVICE_LABEL: isvc.name}
    if component is not None:
        labels[COMPONENT_LABEL] = component
    owner = {
        "apiVersion": isvc.api_version,
        "kind": isvc.kind,
        "name": isvc.name,
        "uid": isvc.metadata.uid or "",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "name": name,
        "namespace": isvc.namespace,
        "labels": labels,
        "ownerReferences": [owner],
    }


def pod_annotations(isvc: InferenceService, config: Config) -> Strings:
    """Return the InferenceService's annotations that its pods carry."""
    refused, only = config.annotations_disallowed, config.annotations_allowed
    return {
        key: value
        for key, value in isvc.annotations.items()
        if key not in _NOT_FOR_PODS and key not in refused and (not only or key in only)
    }


def pod_labels(isvc: InferenceService, config: Config) -> Strings:
    """Return the InferenceService's labels that its pods carry."""
    # That a cache came or went makes no new revision.
    refused = (*config.labels_disallowed, SERVICE_CACHE_LABEL)
    return {key: value for key, value in isvc.labels.items() if key not in refused}


def is_stopped(isvc: InferenceService) -> bool:
    """Whether nothing of the InferenceService shall run."""
    return isvc.annotations.get(STOP, "").lower() == "true"


def is_cluster_local(isvc: InferenceService) -> bool:
    """Whether the InferenceService is not to be reached from outside the cluster."""
    return "cluster-local" in (isvc.labels.get(VISIBILITY), isvc.annotations.get(VISIBILITY))
