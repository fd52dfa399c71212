"""The Knative Service of a component."""

from __future__ import annotations

import hashlib

import orjson

from rouse.api.base import Object
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.autoscaling import DEFAULT_CLASS, make_autoscaling_annotations
from rouse.compiler.metadata import is_cluster_local, make_metadata, pod_annotations
from rouse.compiler.names import COMPONENT_LABEL, SERVICE_LABEL, TEMPLATE_HASH, component_name
from rouse.compiler.predictor import ComponentPod

__all__ = ["make_knative_service", "make_template", "template_hash"]

_VISIBILITY = {"networking.knative.dev/visibility": "cluster-local"}


def make_template(
    isvc: InferenceService, name: str, component: ComponentSpec, pod: ComponentPod
) -> Object:
    """Return the revision template of a component called ``name`` (predictor, ...).

    Labels and annotations of the component win over the InferenceService's, and these over the
    runtime's; the scaling fields win over all.
    """
    labels = {
        **pod.labels,
        **isvc.labels,
        **(component.labels or {}),
        SERVICE_LABEL: isvc.name,
        COMPONENT_LABEL: name,
    }
    annotations = {
        **DEFAULT_CLASS,
        **pod.annotations,
        **pod_annotations(isvc),
        **make_autoscaling_annotations(component),
        **(component.annotations or {}),
    }
    spec = dict(pod.spec)
    if component.container_concurrency is not None:
        spec["containerConcurrency"] = component.container_concurrency
    if component.timeout is not None:
        spec["timeoutSeconds"] = component.timeout
    template: Object = {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}
    annotations[TEMPLATE_HASH] = _hash(template)
    return template


def template_hash(template: Object) -> str:
    """Return the hash a template (or a revision made of it) carries; empty when it has none."""
    annotations = template.get("metadata", {}).get("annotations") or {}
    found: str = annotations.get(TEMPLATE_HASH, "")
    return found


def make_knative_service(
    isvc: InferenceService, component: str, template: Object, traffic: list[Object]
) -> Object:
    """Return the Knative Service of a component."""
    metadata = make_metadata(isvc, component_name(isvc.name, component), component)
    if is_cluster_local(isvc):
        metadata["labels"] |= _VISIBILITY
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"template": template, "traffic": traffic},
    }


def _hash(template: Object) -> str:
    canonical = orjson.dumps(template, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:16]
