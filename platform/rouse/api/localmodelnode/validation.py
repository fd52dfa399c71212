"""The rules of a LocalModelNode that its types cannot say."""

from __future__ import annotations

from rouse.api.inferenceservice.storage import explain_uri
from rouse.api.localmodelnode.types import LocalModelNode
from rouse.api.object_names import check_name
from rouse.errors import FieldError

__all__ = ["validate"]


def validate(node: LocalModelNode) -> list[FieldError]:
    """Return every finding about the models of a node."""
    findings = list(check_name(node.metadata))
    seen: set[tuple[str, str]] = set()
    for index, model in enumerate(node.spec.local_models):
        path = f"spec.localModels[{index}]"
        key = (model.namespace or "", model.model_name)
        if key in seen:
            findings.append(
                FieldError(
                    f"{path}.modelName",
                    f'"{model.model_name}" is there already; a node keeps a model once',
                )
            )
        seen.add(key)
        problem = explain_uri(model.source_model_uri)
        if problem:
            findings.append(FieldError(f"{path}.sourceModelUri", problem))
    return findings
