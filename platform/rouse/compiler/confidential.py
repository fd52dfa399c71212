"""Models that are stored encrypted: who decrypts them once they were fetched.

KServe's storage initializer does, with a key that the guest of a Confidential Container asks a key
broker for. Rouse's own fetchers do not, so an installation has to name KServe's.
"""

from __future__ import annotations

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import ModelSpec
from rouse.compiler.config import Config, StorageInitializer
from rouse.compiler.errors import CompileError
from rouse.compiler.storage import Storage
from rouse.compiler.storage.names import INTERNAL_PREFIX
from rouse.compiler.storage.volumes import is_mounted

__all__ = ["decryption", "decryption_env"]

_ENABLED = f"{INTERNAL_PREFIX}confidential-enabled"
_RESOURCE = f"{INTERNAL_PREFIX}confidential-resource-id"
_FIELD = "spec.predictor.model.confidential"
_OWN_INITIALIZER = StorageInitializer().image.partition(":")[0]


def decryption(model: ModelSpec | None, storage: Storage, config: Config) -> Strings:
    """Return the annotations that ask the pod webhook for a fetcher that decrypts; {} for none.

    Raises CompileError where nobody would decrypt: better no model than its cipher text.
    """
    asked = model.confidential if model is not None else None
    if asked is None or not asked.enabled:
        return {}
    if any(is_mounted(each) for each in storage.locations):
        raise _refused("models on pvc:// and oci:// are mounted, and nothing decrypts them")
    if config.storage_initializer.image.startswith(_OWN_INITIALIZER):
        raise _refused(
            "Rouse's storage initializer cannot decrypt; set storageInitializer.image in "
            "rouse-config to one that can, such as kserve/storage-initializer:v0.20.0, and run the "
            "pod in a Confidential Container (runtimeClassName)"
        )
    return {_ENABLED: "true", **({_RESOURCE: asked.resource_id} if asked.resource_id else {})}


def decryption_env(annotations: Strings) -> list[Object]:
    """Return the variables of the storage initializer of a pod with these annotations."""
    if annotations.get(_ENABLED) != "true":
        return []
    env = [{"name": "CONFIDENTIAL_ENABLED", "value": "true"}]
    if annotations.get(_RESOURCE):
        env.append({"name": "CONFIDENTIAL_RESOURCE_ID", "value": annotations[_RESOURCE]})
    return env


def _refused(why: str) -> CompileError:
    return CompileError(Reason.INVALID_SPEC, f"{_FIELD}: {why}")
