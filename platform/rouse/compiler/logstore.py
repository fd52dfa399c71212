"""Logs that are stored in a bucket: where, in which form, and who opens it.

KServe's agent is told by its flags; Rouse's own model servers by variables. Both write below
``<url>/<namespace>/<service>/<component>/<path>``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.component import Logger
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.logger import BUCKET_SCHEMES, duration_s
from rouse.compiler.errors import CompileError
from rouse.compiler.storage.credentials import Access

__all__ = [
    "DEFAULT_ACCOUNT",
    "LOGGER_ACCOUNT_ANNOTATION",
    "LOGGER_CREDENTIALS_ANNOTATION",
    "STORE_FLAGS",
    "check_bucket",
    "for_logger",
    "store_annotations",
    "store_url",
    "store_variables",
]

DEFAULT_ACCOUNT = "logger-sa"
"""The service account of KServe's agents that names none."""

_PREFIX = "internal.rouse.dev/logger-"
LOGGER_ACCOUNT_ANNOTATION = f"{_PREFIX}service-account"
LOGGER_CREDENTIALS_ANNOTATION = f"{_PREFIX}credentials"
"""The container that stores its logs itself, with the credentials of that service account."""
STORE_FLAGS = {
    f"{_PREFIX}store-path": "--log-store-path",
    f"{_PREFIX}store-format": "--log-store-format",
    f"{_PREFIX}marshaller-url": "--log-marshaller-url",
    f"{_PREFIX}batch-size": "--log-batch-size",
    f"{_PREFIX}batch-interval": "--log-batch-interval",
}
"""Annotation -> flag of KServe's agent."""

_DEFAULT_FORMAT = "json"
_DEFAULT_PATH = "logs"
_VARIABLE_PREFIX = "ROUSE_LOGGER_ENV_"
_FILES = "/var/logger"
_AGENT_SCHEMES = ("abfs", "gs", "s3")


def store_url(logger: Logger) -> str | None:
    """The bucket that a logger's parameters name (``type`` and ``bucket``); None without one."""
    given = (logger.storage.parameters if logger.storage is not None else None) or {}
    bucket = given.get("bucket")
    return f"{given.get('type') or 's3'}://{bucket}" if bucket else None


def check_bucket(logger: Logger, url: str, field: str, *, own: bool) -> None:
    """Raise CompileError where a logger with storage has a url that is no bucket."""
    if logger.storage is None:
        return
    allowed = BUCKET_SCHEMES if own else _AGENT_SCHEMES
    if url.partition("://")[0] not in allowed:
        listed = ", ".join(f"{each}://" for each in allowed)
        raise CompileError(
            Reason.INVALID_SPEC,
            f'{field}.url: "{url}" names no bucket that logs can be stored in; allowed: {listed}',
        )


def store_annotations(logger: Logger) -> Strings:
    """What the pod webhook tells KServe's agent beside the url."""
    storage = logger.storage
    said: dict[str, str | None] = {
        "marshaller-url": logger.marshaller_url,
        "batch-size": str(logger.batch_size) if logger.batch_size else None,
        "batch-interval": logger.batch_interval,
    }
    if storage is not None:
        # Without a path the agent stores nothing at all.
        said["store-path"] = (storage.path or "").strip("/") or _DEFAULT_PATH
        said["store-format"] = _format(logger)
        said["service-account"] = storage.service_account_name or DEFAULT_ACCOUNT
    return {_PREFIX + name: value for name, value in said.items() if value}


def store_variables(logger: Logger, url: str, *, namespace: str, name: str, part: str) -> Strings:
    """The variables of a model server that logs by itself, about the store and its batches."""
    variables: Strings = {}
    if logger.storage is not None:
        path = (logger.storage.path or "").strip("/") or _DEFAULT_PATH
        where = "/".join((url.rstrip("/"), namespace, name, part, path))
        variables |= {"ROUSE_LOGGER_STORE_URI": where, "ROUSE_LOGGER_FORMAT": _format(logger)}
    if logger.batch_size:
        variables["ROUSE_LOGGER_BATCH_SIZE"] = str(logger.batch_size)
    seconds = duration_s(logger.batch_interval or "0")
    if seconds:
        variables["ROUSE_LOGGER_BATCH_SECONDS"] = f"{seconds:g}"
    if logger.marshaller_url:
        variables["ROUSE_LOGGER_MARSHALLER_URL"] = logger.marshaller_url
    return variables


def for_logger(access: Access) -> Access:
    """Return credentials of the logs beside those of the model, in one container.

    Variables get a prefix; files lie in folders of their own, and variables point there.
    """
    folders = {each["mountPath"]: _FILES + each["mountPath"] for each in access.mounts}
    return Access(
        tuple(_renamed(each, folders) for each in access.env),
        tuple(
            {**each, "name": f"logger-{each['name']}", "mountPath": folders[each["mountPath"]]}
            for each in access.mounts
        ),
        tuple({**each, "name": f"logger-{each['name']}"} for each in access.volumes),
    )


def _renamed(variable: Object, folders: Mapping[str, str]) -> Object:
    renamed = {**variable, "name": _VARIABLE_PREFIX + variable["name"]}
    for before, after in _longest_first(folders):
        if str(variable.get("value", "")).startswith(before):
            return {**renamed, "value": after + variable["value"][len(before) :]}
    return renamed


def _longest_first(folders: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return iter(sorted(folders.items(), key=lambda pair: -len(pair[0])))


def _format(logger: Logger) -> str:
    given = (logger.storage.parameters if logger.storage is not None else None) or {}
    return given.get("format", _DEFAULT_FORMAT)
