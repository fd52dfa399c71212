"""The answer to an admission request of the Kubernetes API (admission.k8s.io/v1)."""

from __future__ import annotations

import base64

import orjson

from rouse.api.base import Object
from rouse.compiler.config import Config
from rouse.compiler.podwebhook.mutate import mutate
from rouse.compiler.podwebhook.patch import diff
from rouse.compiler.storage.facts import NO_FACTS, Facts
from rouse.errors import InvalidError

__all__ = ["admission_response"]


def admission_response(review: Object, *, config: Config, facts: Facts = NO_FACTS) -> Object:
    """Return the AdmissionReview that answers ``review``, the creation of a pod.

    ``facts`` are those of its namespace. Any other request is allowed as it is; a pod that cannot
    be made right is refused with the reason.
    """
    request = review["request"]
    response: Object = {"uid": request["uid"], "allowed": True}
    pod = request.get("object")
    if request.get("operation") == "CREATE" and pod and _is_pod(request):
        placed = _in_namespace(pod, request.get("namespace", ""))
        try:
            changes = diff(placed, mutate(placed, config=config, facts=facts))
        except InvalidError as error:
            response["allowed"] = False
            response["status"] = {"code": 422, "reason": "Invalid", "message": str(error)}
        else:
            response |= _patch(changes) if changes else {}
    return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}


def _is_pod(request: Object) -> bool:
    resource = request.get("resource") or {}
    plain = not request.get("subResource")
    return plain and resource.get("group", "") == "" and resource.get("resource") == "pods"


def _in_namespace(pod: Object, namespace: str) -> Object:
    """A pod of a template does not say its namespace yet; the request does."""
    return {**pod, "metadata": {**pod["metadata"], "namespace": namespace}}


def _patch(changes: list[Object]) -> Object:
    return {
        "patchType": "JSONPatch",
        "patch": base64.b64encode(orjson.dumps(changes)).decode(),
    }
