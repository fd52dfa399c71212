"""Who may call an InferenceService through the gateway: Istio's policies for it. Pure."""

from rouse.compiler.access.policies import make_auth_objects, methods_of
from rouse.compiler.names import ACCESS_NAMESPACE_LABEL, TOKENS_TOO

__all__ = ["ACCESS_NAMESPACE_LABEL", "TOKENS_TOO", "make_auth_objects", "methods_of"]
