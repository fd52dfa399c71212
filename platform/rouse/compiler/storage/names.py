"""Names that storage shares with KServe, its pod webhook and its storage initializer."""

from __future__ import annotations

__all__ = [
    "CACHED_ANNOTATION",
    "CONTAINER_ANNOTATION",
    "CREDENTIALS_ANNOTATION",
    "INTERNAL_PREFIX",
    "MODEL_PATH",
    "READ_ONLY_ANNOTATION",
    "SCHEME_PLACEHOLDER",
    "SOURCE_ANNOTATION",
    "SPEC_ANNOTATION",
    "SPEC_KEY_ANNOTATION",
    "SPEC_PARAMETERS_ANNOTATION",
    "STORAGE_URI",
    "TRANSFORMER_CONTAINER",
    "URIS_ANNOTATION",
]

MODEL_PATH = "/mnt/models"
TRANSFORMER_CONTAINER = "transformer-container"
"""A container of this name beside the one that serves sees the model too."""
STORAGE_URI = "STORAGE_URI"
"""The variable that names a location to a server that fetches, or to one of the user's own."""

READ_ONLY_ANNOTATION = "storage.kserve.io/readonly"

INTERNAL_PREFIX = "internal.serving.kserve.io/"
SOURCE_ANNOTATION = f"{INTERNAL_PREFIX}storage-initializer-sourceuri"
SPEC_ANNOTATION = f"{INTERNAL_PREFIX}storage-spec"
SPEC_KEY_ANNOTATION = f"{INTERNAL_PREFIX}storage-spec-key"
SPEC_PARAMETERS_ANNOTATION = f"{INTERNAL_PREFIX}storage-spec-param"

URIS_ANNOTATION = "internal.rouse.dev/storage-uris"
"""JSON list of {uri, mountPath}: what the pod webhook has fetched where KServe knows one uri."""
CREDENTIALS_ANNOTATION = "internal.rouse.dev/storage-credentials"
"""The container that fetches for itself and needs the credentials of its service account."""
CONTAINER_ANNOTATION = "internal.rouse.dev/storage-container"
"""The ClusterStorageContainer that fetches, where the component names it."""

CACHED_ANNOTATION = "internal.rouse.dev/model-cache"
"""The location that the node's cache may have: the pod webhook lets the pod read that."""

SCHEME_PLACEHOLDER = "<scheme-placeholder>"
"""Stands for the scheme and bucket that only the entry of the Secret storage-config tells."""
