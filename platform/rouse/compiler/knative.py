"""The Knative Service of a component."""

from __future__ import annotations

import hashlib

import orjson

from rouse.api.base import Object
from rouse.compiler.autoscaling import DEFAULT_CLASS, make_autoscaling_annotations
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.metadata import is_cluster_local, make_metadata
from rouse.compiler.names import TEMPLATE_HASH
from rouse.compiler.owner import Owner

__all__ = ["make_knative_service", "make_template", "template_hash"]

_VISIBILITY = {"networking.knative.dev/visibility": "cluster-local"}


def make_template(component: ResolvedComponent) -> Object:
    """Return the revision template of a component.

    The scaling fields win over all but the component's own annotations.
    """
    annotations = {
        **DEFAULT_CLASS,
        **component.annotations,
        **make_autoscaling_annotations(component.spec),
        **(component.spec.annotations or {}),
    }
    spec = dict(component.pod_spec)
    if component.spec.container_concurrency is not None:
        spec["containerConcurrency"] = component.spec.container_concurrency
    if component.spec.timeout is not None:
        spec["timeoutSeconds"] = component.spec.timeout
    metadata: Object = {"labels": component.labels, "annotations": annotations}
    template: Object = {"metadata": metadata, "spec": spec}
    annotations[TEMPLATE_HASH] = _hash(template)
    return template


def template_hash(template: Object) -> str:
    """Return the hash a template (or a revision made of it) carries; empty when it has none."""
    annotations = template.get("metadata", {}).get("annotations") or {}
    found: str = annotations.get(TEMPLATE_HASH, "")
    return found


def make_knative_service(
    owner: Owner,
    component: ResolvedComponent,
    template: Object,
    traffic: list[Object],
    *,
    inside: bool = False,
) -> Object:
    """Return the Knative Service of a component.

    ``inside``: Knative gives it no host of its own at the gateway for the outside.
    """
    metadata = make_metadata(owner, component.name, component.component)
    if inside or is_cluster_local(owner):
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
