"""Writing proposed settings into InferenceServices, as the user, with its own field manager."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rouse.coldstart.advise import ACTIVATION_SCALE, MODEL_CACHE, RETENTION, Proposal
from rouse.kube.config import connect
from rouse.kube.objects import Object, key_of, uid_of
from rouse.sdk.connection import locate
from rouse.sdk.differing import unified

__all__ = ["MANAGER", "apply_proposals", "make_patch"]

MANAGER: Final = "rouse-advise"

_ANNOTATIONS: Final = (ACTIVATION_SCALE, MODEL_CACHE, RETENTION, "rouse.dev/keep-alive")
_FIELDS: Final = ("minReplicas", "containerConcurrency")


def make_patch(service: Mapping[str, Any], proposals: Iterable[Proposal]) -> Object:
    """Return what to apply: the proposals, and what was written of former ones, which stays."""
    annotations, predictor = _written(service)
    for each in proposals:
        if each.is_annotation:
            annotations[each.setting] = str(each.value)
        else:
            predictor[each.setting] = each.value
    key = key_of(service)
    # The uid: what was measured is of this object, and of no later one of the same name.
    metadata: Object = {
        "name": key.name,
        "namespace": key.namespace,
        "uid": uid_of(service),
        "annotations": annotations,
    }
    made = {"apiVersion": service["apiVersion"], "kind": service["kind"], "metadata": metadata}
    return made | ({"spec": {"predictor": predictor}} if predictor else {})


def apply_proposals(
    service: Mapping[str, Any],
    proposals: Sequence[Proposal],
    *,
    kubeconfig: Path | None,
    force: bool = False,
) -> str:
    """Write the proposals for one service, and return what changed as a unified diff.

    Raises `ConflictError` where somebody else set a field, unless ``force``, and where the service
    was deleted or made anew meanwhile.
    """
    return asyncio.run(_apply(make_patch(service, proposals), service, kubeconfig, force=force))


async def _apply(
    body: Object, before: Mapping[str, Any], kubeconfig: Path | None, *, force: bool
) -> str:
    async with connect(locate(kubeconfig).cluster) as client:
        stored = await client.apply(body, force=force, field_manager=MANAGER)
    return unified(dict(before), stored)


def _written(service: Mapping[str, Any]) -> tuple[Object, Object]:
    """What this manager set before: to apply less would take it away."""
    annotations: Object = {}
    predictor: Object = {}
    live = service["metadata"].get("annotations") or {}
    spec = (service.get("spec") or {}).get("predictor") or {}
    for entry in service["metadata"].get("managedFields") or ():
        if entry.get("manager") != MANAGER:
            continue
        fields = entry.get("fieldsV1") or {}
        named = (fields.get("f:metadata") or {}).get("f:annotations") or {}
        given = (fields.get("f:spec") or {}).get("f:predictor") or {}
        annotations |= {n: live[n] for n in _ANNOTATIONS if f"f:{n}" in named and n in live}
        predictor |= {n: spec[n] for n in _FIELDS if f"f:{n}" in given and n in spec}
    return annotations, predictor
