"""Who may call an InferenceService through the gateway: Istio's policies for it. Pure."""

from rouse.compiler.access.policies import (
    ACCESS_NAMESPACE_LABEL,
    make_auth_objects,
    wants_jwt,
)

__all__ = ["ACCESS_NAMESPACE_LABEL", "make_auth_objects", "wants_jwt"]
