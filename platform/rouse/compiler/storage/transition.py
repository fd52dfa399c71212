"""How the model comes to the container that serves it."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.inferenceservice.storage import parse_claim
from rouse.compiler.merge import merge_pod
from rouse.compiler.storage.names import MODEL_PATH

__all__ = ["with_model"]


_CLAIM_VOLUME = "kserve-pvc-source"
_STORAGE_URI = "STORAGE_URI"


def with_model(pod: Object, main: str, uri: str, *, read_only: bool = True) -> Object:
    """Return the pod with the model at hand for the container named ``main``.

    A claim is mounted at /mnt/models. Of any other location the container is told by
    STORAGE_URI: Rouse's predictors fetch their model themselves, beside their imports.
    """
    claim = parse_claim(uri)
    if claim is None:
        return _laid_over(pod, main, {"env": [{"name": _STORAGE_URI, "value": uri}]})
    mount: Object = {"name": _CLAIM_VOLUME, "mountPath": MODEL_PATH, "readOnly": read_only}
    if claim.path:
        mount["subPath"] = claim.path
    source: Object = {"claimName": claim.claim, "readOnly": read_only}
    volume = {"name": _CLAIM_VOLUME, "persistentVolumeClaim": source}
    return merge_pod(_laid_over(pod, main, {"volumeMounts": [mount]}), {"volumes": [volume]})


def _laid_over(pod: Object, main: str, fields: Object) -> Object:
    return merge_pod(pod, {"containers": [{"name": main, **fields}]})
