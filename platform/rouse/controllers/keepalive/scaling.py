"""What scales a revision, and takes annotations while it serves.

From 1.21 on Knative hands the annotations of a Revision on to its PodAutoscaler, and not to its
pods. Before, they were handed on when it was made only, and the pods carried them too: they would
be made anew by a change. There the PodAutoscaler is changed, which nobody sets back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rouse.api.base import Object
from rouse.autoscaler.annotations import PREFIX
from rouse.controllers.keepalive.fields import MANAGER, with_own_fields
from rouse.errors import NotFoundError
from rouse.kube.client import KubeClient
from rouse.kube.informer import Informer
from rouse.kube.objects import key_of, uid_of
from rouse.kube.requests import patch
from rouse.kube.resources import POD_AUTOSCALERS, resource_of

__all__ = ["annotate", "what_scales"]


async def what_scales(client: KubeClient, deployments: Informer, revision: Object) -> Object | None:
    """Return the Revision itself or its PodAutoscaler; None while that cannot be told."""
    deployment = next(iter(deployments.owned_by(uid_of(revision))), None)
    if deployment is None:
        return None
    if not _tells_its_pods(deployment):
        return revision
    key = key_of(revision)
    try:
        return with_own_fields(await client.get(POD_AUTOSCALERS, key.name, key.namespace))
    except NotFoundError:
        return None


async def annotate(client: KubeClient, obj: Object, change: Mapping[str, str | None]) -> None:
    """Set annotations, or take them away, under our own name; one that is gone is left so."""
    key = key_of(obj)
    # A merge patch makes nothing anew that is gone, and by the uid not another of its name.
    body = {"metadata": {"uid": uid_of(obj), "annotations": change}}
    request = patch(
        resource_of(obj), key.name, body, namespace=key.namespace, field_manager=MANAGER
    )
    try:
        await client.send(request)
    except NotFoundError:
        return


def _tells_its_pods(deployment: Mapping[str, Any]) -> bool:
    """Whether pods carry how they are scaled; all templates of ours say a minimum."""
    template = deployment["spec"]["template"].get("metadata") or {}
    return any(name.startswith(PREFIX) for name in template.get("annotations") or ())
