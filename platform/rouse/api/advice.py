"""What may be stored and is not what its author will have meant: told as warnings. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rouse.api.base import Object
from rouse.api.inferenceservice.modes import KNATIVE, MODE_ANNOTATION, STANDARD
from rouse.api.inferenceservice.types import FRAMEWORKS

__all__ = ["advise"]

_OLD_MODES: Final = {"Serverless": KNATIVE, "RawDeployment": STANDARD}
_COMPONENTS: Final = ("predictor", "transformer", "explainer")
_LOOKED_AT: Final = {
    "condition": ("Sequence", "Switch"),
    "data": ("Sequence",),
    "mapPredictionsToInstances": ("Sequence",),
    "weight": ("Splitter",),
}


def advise(obj: Object) -> list[str]:
    """Return a warning for each thing of an object that has a newer form, or no effect."""
    kind = obj.get("kind")
    spec = _dict(obj.get("spec"))
    if kind == "InferenceService":
        return [*_of_metadata(_dict(obj.get("metadata"))), *_of_service(spec)]
    return list(_of_graph(spec)) if kind == "InferenceGraph" else []


def _of_metadata(metadata: Object) -> Iterator[str]:
    mode = _dict(metadata.get("annotations")).get(MODE_ANNOTATION)
    newer = _OLD_MODES.get(mode) if isinstance(mode, str) else None
    if newer:
        yield f"{MODE_ANNOTATION}: {mode} is the old name of {newer}; write {newer}"


def _of_service(spec: Object) -> Iterator[str]:
    predictor = _dict(spec.get("predictor"))
    for framework in FRAMEWORKS:
        if framework in predictor:
            yield (
                f"spec.predictor.{framework} is the old style; write spec.predictor.model with "
                f"modelFormat.name: {framework}"
            )
    for component in _COMPONENTS:
        if "serviceAccount" in _dict(spec.get(component)):
            yield f"spec.{component}.serviceAccount is the old name of serviceAccountName"


def _of_graph(spec: Object) -> Iterator[str]:
    for name, node in _dict(spec.get("nodes")).items():
        kind = _dict(node).get("routerType")
        steps = _dict(node).get("steps")
        for index, step in enumerate(steps if isinstance(steps, list) else ()):
            path = f"spec.nodes.{name}.steps[{index}]"
            for field, kinds in _LOOKED_AT.items():
                if field in _dict(step) and kind not in kinds:
                    yield f"{path}.{field} has no effect: {kind} is not {' or '.join(kinds)}"
            if kind == "Sequence" and index == 0 and _dict(step).get("condition"):
                yield (
                    f"{path}.condition makes every request fail: the first step of a Sequence has "
                    "no answer to look into"
                )


def _dict(value: Any) -> Object:
    """The value, or nothing where a malformed object has something else there."""
    return value if isinstance(value, dict) else {}
