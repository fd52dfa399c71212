"""Deployment modes: how the wanted objects run."""

from __future__ import annotations

from rouse.api.base import Strings

__all__ = ["KNATIVE", "MODELMESH", "MODE_ANNOTATION", "STANDARD", "mode_of"]

MODE_ANNOTATION = "serving.kserve.io/deploymentMode"
KNATIVE = "Knative"
STANDARD = "Standard"
MODELMESH = "ModelMesh"

_NAMES = {
    "Knative": KNATIVE,
    "Serverless": KNATIVE,
    "Standard": STANDARD,
    "RawDeployment": STANDARD,
    "ModelMesh": MODELMESH,
}


def mode_of(annotations: Strings, default: str = KNATIVE) -> str | None:
    """Return the mode the annotations ask for, legacy names included; None for an unknown one."""
    return _NAMES.get(annotations.get(MODE_ANNOTATION, default))
