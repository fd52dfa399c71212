"""The rules of a logger that its types cannot say: where logs are stored, and in which batches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rouse.api.inferenceservice.component import Logger, LoggerStorage
from rouse.errors import FieldError

__all__ = ["BUCKET_SCHEMES", "FORMATS", "check_logger", "duration_s"]

FORMATS = ("csv", "json", "parquet")
BUCKET_SCHEMES = ("abfs", "file", "gs", "s3")
"""What a stored log's url begins with; file only for Rouse's own model servers."""

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)")
_SECRETS = frozenset({"access_key_id", "account_key", "secret_access_key", "token"})


def check_logger(logger: Logger, path: str) -> Iterator[FieldError]:
    """Find what is wrong with a logger at the field ``path``."""
    if logger.batch_interval is not None and duration_s(logger.batch_interval) is None:
        yield FieldError(
            f"{path}.batchInterval", f'"{logger.batch_interval}" is no duration such as 5s or 100ms'
        )
    marshaller = logger.marshaller_url
    if marshaller is not None and not marshaller.startswith(("http://", "https://")):
        yield FieldError(
            f"{path}.marshallerUrl", f'"{marshaller}" must begin with http:// or https://'
        )
    if logger.storage is not None:
        yield from _storage(logger, logger.storage, path)


def _storage(logger: Logger, storage: LoggerStorage, path: str) -> Iterator[FieldError]:
    scheme = (logger.url or "").partition("://")[0]
    if logger.url is not None and scheme not in BUCKET_SCHEMES:
        yield FieldError(
            f"{path}.url",
            f'"{logger.url}" names no bucket, and logger.storage asks for one; allowed: '
            f"{', '.join(f'{each}://' for each in BUCKET_SCHEMES)}",
        )
    given = storage.parameters or {}
    if given.get("format", FORMATS[0]) not in FORMATS:
        yield FieldError(
            f"{path}.storage.parameters.format",
            f'"{given["format"]}" is not known; allowed: {", ".join(FORMATS)}',
        )
    for name in sorted(_SECRETS & given.keys()):
        yield FieldError(
            f"{path}.storage.parameters.{name}",
            "would stand in plain text in the pod; put it into a Secret of the service account",
        )
    if ".." in (storage.path or "").split("/"):
        yield FieldError(f"{path}.storage.path", f'"{storage.path}" must not lead upwards')


def duration_s(text: str) -> float | None:
    """Seconds of a duration as Go writes it, such as ``1m30s``; None when it is none."""
    if text == "0":
        return 0.0
    total, end = 0.0, 0
    for part in _PART.finditer(text):
        if part.start() != end:
            return None
        total += float(part[1]) * _UNITS[part[2]]
        end = part.end()
    return total if text and end == len(text) else None
