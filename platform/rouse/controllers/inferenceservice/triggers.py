"""Whose reconcile a change asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rouse.api.base import Object
from rouse.compiler.names import SERVICE_LABEL
from rouse.controllers.inferenceservice.sources import Sources
from rouse.controllers.writing.pods import where_it_matters
from rouse.controllers.writing.policies import enqueue_protected
from rouse.kube.client import EventType
from rouse.kube.objects import Key, controller_of, key_of, labels_of
from rouse.kube.resources import DEPLOYMENTS, INFERENCE_SERVICES

__all__ = ["connect_triggers", "connect_wake_ups", "follows_runtimes", "owner_of"]

_NO_AUTO_UPDATE: Final = "serving.kserve.io/disable-auto-update"

Enqueue = Callable[[Key], None]


def connect_triggers(sources: Sources, enqueue: Enqueue) -> None:
    """Let every change that can matter to an InferenceService enqueue it."""

    def on_service(_type: EventType, obj: Object) -> None:
        enqueue(key_of(obj))

    def on_owned(type_: EventType, obj: Object) -> None:
        # Knative's Deployments carry the labels of their revision, and are Knative's affair.
        owner = controller_of(obj)
        if owner is None or owner.get("kind") == INFERENCE_SERVICES.kind:
            on_part(type_, obj)

    def on_part(_type: EventType, obj: Object) -> None:
        owner = owner_of(obj)
        if owner is not None:
            enqueue(owner)

    def on_runtime(_type: EventType, obj: Object) -> None:
        for service in sources.services.list(key_of(obj).namespace or None):
            if follows_runtimes(service):
                enqueue(key_of(service))

    def on_setting(_type: EventType, _obj: Object) -> None:
        for key in sources.services.all_keys():
            enqueue(key)

    sources.policies.add_handler(enqueue_protected(SERVICE_LABEL, enqueue))
    sources.services.add_handler(on_service)
    for informer in sources.owned.values():
        informer.add_handler(on_owned)
    sources.revisions.add_handler(on_part)
    sources.pods.add_change_handler(where_it_matters(on_part))
    for informer in (sources.runtimes, sources.cluster_runtimes):
        informer.add_handler(on_runtime)
    for informer in (sources.config, sources.kserve_config, sources.storage_containers):
        informer.add_handler(on_setting)


def connect_wake_ups(sources: Sources, enqueue: Enqueue) -> None:
    """Let every change that can matter to what keeps an InferenceService awake enqueue it."""

    def on_service(_type: EventType, obj: Object) -> None:
        enqueue(key_of(obj))

    def on_revision(_type: EventType, obj: Object) -> None:
        owner = owner_of(obj)
        if owner is not None:
            enqueue(owner)

    def on_deployment(type_: EventType, obj: Object) -> None:
        if type_ is EventType.ADDED:
            on_revision(type_, obj)

    def on_setting(_type: EventType, _obj: Object) -> None:
        for key in sources.services.all_keys():
            enqueue(key)

    sources.services.add_handler(on_service)
    sources.revisions.add_handler(on_revision)
    sources.owned[DEPLOYMENTS].add_handler(on_deployment)
    sources.config.add_handler(on_setting)


def owner_of(obj: Mapping[str, Any]) -> Key | None:
    """Return the InferenceService an object belongs to: its owner, or that of its label.

    A revision has only the label: its owner is Knative's.
    """
    namespace = key_of(obj).namespace
    owner = controller_of(obj)
    if owner is not None and owner.get("kind") == INFERENCE_SERVICES.kind:
        return Key(namespace, owner["name"])
    name = labels_of(obj).get(SERVICE_LABEL)
    return Key(namespace, name) if name else None


def follows_runtimes(service: Mapping[str, Any]) -> bool:
    """Say whether a change of a runtime reaches an InferenceService by itself.

    Not only the one in use matters: a new runtime may be the better choice.
    """
    annotations = service["metadata"].get("annotations") or {}
    return bool(annotations.get(_NO_AUTO_UPDATE) != "true")
