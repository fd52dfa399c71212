"""What a location says, and what of it may be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import orjson

from predictors.serving.errors import StorageError

__all__ = ["SUPPORTED", "entry_of", "json_object", "redacted", "resolved", "unsupported"]

SUPPORTED: Final = (
    "a plain path, file://, pvc:// (mounted by the platform), http(s)://, s3://, gs://, "
    "abfs:// and https://ACCOUNT.blob.core.windows.net, hf://, oci://, webhdfs://, "
    "and what fsspec knows"
)
_PLACEHOLDER: Final = "<scheme-placeholder>://"
_WITH_BUCKET: Final = ("s3",)


def redacted(uri: str) -> str:
    """``uri`` without user, password, query and fragment, which may be secrets."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri.partition("://")[0] + "://..."
    host = parts.netloc
    # In abfs://container@account the first half is no user but where the files are.
    if not (parts.scheme.startswith("abfs") and ":" not in host):
        host = host.rpartition("@")[2]
    return SplitResult(parts.scheme, host, parts.path, "", "").geturl()


def resolved(uri: str, env: Mapping[str, str]) -> str:
    """The uri, completed by an entry of the Secret storage-config when it leaves that open.

    STORAGE_CONFIG is the entry, STORAGE_OVERRIDE_CONFIG is laid over it; both are JSON objects.
    """
    if not uri.startswith(_PLACEHOLDER):
        return uri
    path = uri.removeprefix(_PLACEHOLDER)
    entry = entry_of(env)
    scheme, bucket = entry.get("type"), entry.get("bucket")
    needed = {"type": scheme, **({"bucket": bucket} if scheme in _WITH_BUCKET else {})}
    missing = next((name for name, value in needed.items() if not value), None)
    if missing:
        raise StorageError(
            f"neither the storage Secret's entry nor storage.parameters says a {missing}; "
            f"the model's path is {path}."
        )
    return f"{scheme}://{bucket}/{path}" if scheme in _WITH_BUCKET else f"{scheme}://{path}"


def entry_of(env: Mapping[str, str]) -> dict[str, Any]:
    """The entry of storage-config that the environment carries, parameters laid over it."""
    return {**json_object(env, "STORAGE_CONFIG"), **json_object(env, "STORAGE_OVERRIDE_CONFIG")}


def json_object(env: Mapping[str, str], name: str) -> dict[str, Any]:
    """A JSON object of the environment; its text is a secret and never told."""
    try:
        found = orjson.loads(env.get(name) or "{}")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise StorageError(f"The environment variable {name} is no JSON object.")
    return found


def unsupported(uri: str) -> StorageError:
    """The refusal of a scheme that nothing here fetches."""
    scheme = uri.partition("://")[0]
    return StorageError(
        f"{redacted(uri)}: scheme {scheme}:// is not supported by this server. "
        f"Supported: {SUPPORTED}. For others, name an image that can in a "
        "ClusterStorageContainer, or bring the model to a PersistentVolumeClaim."
    )
