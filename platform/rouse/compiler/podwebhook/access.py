"""What a server that fetches for itself gets: credentials, or somebody who fetches for it."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.compiler.config import Config
from rouse.compiler.logstore import (
    LOGGER_ACCOUNT_ANNOTATION,
    LOGGER_CREDENTIALS_ANNOTATION,
    for_logger,
)
from rouse.compiler.podwebhook.containers import annotations_of, find
from rouse.compiler.podwebhook.initializer import entry_of
from rouse.compiler.storage.attach import with_credentials
from rouse.compiler.storage.containers import matching_container
from rouse.compiler.storage.credentials import access_of
from rouse.compiler.storage.entry import resolved, secret_of
from rouse.compiler.storage.facts import Facts
from rouse.compiler.storage.names import CREDENTIALS_ANNOTATION, SOURCE_ANNOTATION
from rouse.compiler.storage.spec import custom_uri

__all__ = ["with_access", "with_logger_access"]

_SELF_FETCHED = ("http", "https")
"""Schemes that the predictors fetch themselves even where another container could."""


def with_access(pod: Object, config: Config, facts: Facts) -> Object:
    """Return the pod whose server can open its model.

    Where a ClusterStorageContainer stands for a location that the predictors may not know, the
    pod asks for the initializer instead.
    """
    annotations = annotations_of(pod)
    name = annotations.get(CREDENTIALS_ANNOTATION)
    container = find(pod["spec"]["containers"], name) if name else None
    if name is None or container is None:
        return pod
    uri, entry = custom_uri(container.get("env") or ()), entry_of(pod)
    meant = resolved(uri, entry, secret_of(annotations, config), facts) if entry and uri else uri
    if _has_its_own_fetcher(meant, facts):
        asked = {**annotations, SOURCE_ANNOTATION: uri}
        return {**pod, "metadata": {**pod["metadata"], "annotations": asked}}
    if entry is not None:
        return pod
    account = pod["spec"].get("serviceAccountName", "")
    access = access_of(account, annotations, facts, config)
    return {**pod, "spec": with_credentials(pod["spec"], name, access)}


def with_logger_access(pod: Object, config: Config, facts: Facts) -> Object:
    """Return the pod whose server can open the bucket that it stores its logs in."""
    annotations = annotations_of(pod)
    name = annotations.get(LOGGER_CREDENTIALS_ANNOTATION)
    if name is None or find(pod["spec"]["containers"], name) is None:
        return pod
    access = access_of(annotations.get(LOGGER_ACCOUNT_ANNOTATION, ""), {}, facts, config)
    return {**pod, "spec": with_credentials(pod["spec"], name, for_logger(access))}


def _has_its_own_fetcher(uri: str, facts: Facts) -> bool:
    if not uri or uri.startswith(tuple(f"{scheme}://" for scheme in _SELF_FETCHED)):
        return False
    return matching_container([uri], facts.storage_containers) is not None
