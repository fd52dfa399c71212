"""Who may call an InferenceService through the gateway: Istio's policies for it. Pure."""

from rouse.compiler.access.policies import (
    ACCESS_NAMESPACE_LABEL,
    TOKENS_TOO,
    make_auth_objects,
    methods_of,
)

__all__ = ["ACCESS_NAMESPACE_LABEL", "TOKENS_TOO", "make_auth_objects", "methods_of"]
