"""The pods of an explainer: the user's, or ART's, told where the predictor is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.defaults import MAIN_CONTAINER
from rouse.api.inferenceservice.types import ARTExplainerSpec, ExplainerSpec, InferenceService
from rouse.api.pods.containers import ContainerFields
from rouse.compiler.agent import attach_agent
from rouse.compiler.arguments import caller_arguments, with_arguments
from rouse.compiler.canaries import split_host
from rouse.compiler.component import EXPLAINER, ResolvedComponent, pod_fields, resolve
from rouse.compiler.config import Config
from rouse.compiler.fetching import attach_own_storage
from rouse.compiler.images import with_tag
from rouse.compiler.merge import merge_pod
from rouse.compiler.storage import MODEL_PATH, Location, Storage, attach, from_entry

__all__ = ["resolve_explainer"]

_ART_IMAGE = "kserve/art-explainer:v0.15.2"
_ART_TYPE = "SquareAttack"
_CONTAINER_FIELDS = frozenset(
    field.alias or name for name, field in ContainerFields.model_fields.items() if name != "name"
)


def resolve_explainer(
    isvc: InferenceService, explainer: ExplainerSpec, config: Config
) -> ResolvedComponent:
    """Return the (defaulted) explainer with its pod. Raises CompileError."""
    pod = pod_fields(explainer)
    annotations: Strings = {}
    if explainer.art is not None:
        pod = merge_pod(pod, {"containers": [_art(explainer.art)]})
        storage = _storage(explainer.art)
        if storage is not None:
            storage = replace(storage, container=explainer.storage_container_name or "")
            given = {**isvc.annotations, **(explainer.annotations or {})}
            pod, annotations = attach(
                pod,
                MAIN_CONTAINER,
                storage,
                own_predictor=False,
                config=config,
                annotations=given,
            )
    else:
        pod, annotations = attach_own_storage(isvc, explainer, pod, config)
    pod["containers"] = with_arguments(
        pod["containers"], caller_arguments(isvc, split_host(isvc, config))
    )
    pod, logging = attach_agent(pod, isvc, EXPLAINER, explainer, own=None, config=config)
    annotations = {**annotations, **logging}
    return resolve(isvc, EXPLAINER, explainer, pod, config=config, annotations=annotations)


def _storage(art: ARTExplainerSpec) -> Storage | None:
    if art.storage is not None:
        return from_entry(art.storage)
    return Storage((Location(art.storage_uri),)) if art.storage_uri is not None else None


def _art(art: ARTExplainerSpec) -> Object:
    given = {k: v for k, v in art.to_object().items() if k in _CONTAINER_FIELDS}
    image = with_tag(_ART_IMAGE, art.runtime_version) if art.runtime_version else _ART_IMAGE
    args = [*given.pop("args", ()), *_art_arguments(art)]
    return {"name": MAIN_CONTAINER, "image": image, **given, "args": args}


def _art_arguments(art: ARTExplainerSpec) -> Iterator[str]:
    if art.storage_uri is not None or art.storage is not None:
        yield from ("--storage_uri", MODEL_PATH)
    yield from ("--adversary_type", art.type or _ART_TYPE)
    for name, value in sorted((art.config or {}).items()):
        yield from (f"--{name}", value)
