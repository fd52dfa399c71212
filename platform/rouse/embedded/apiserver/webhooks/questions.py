"""What is asked of a write: the request, and the labels of its namespace."""

from __future__ import annotations

from collections.abc import Mapping

from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.records import Key
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.store import Store
from rouse.embedded.apiserver.webhooks.matching import Question, Verb

__all__ = ["question_of"]

_NAMESPACES = "/namespaces"
_NAME_LABEL = "kubernetes.io/metadata.name"


def question_of(
    store: Store,
    target: Target,
    operation: Verb,
    obj: Object | None,
    old: Object | None,
    *,
    dry_run: bool,
) -> Question:
    """Return the question about a write of ``target``, which is no collection's."""
    one = obj or old or {}
    return Question(
        operation=operation,
        resource=target.resource,
        version=target.version,
        name=one["metadata"]["name"],
        namespace=one["metadata"].get("namespace") or "",
        subresource=target.subresource,
        obj=obj,
        old=old,
        namespace_labels=_labels(store, target, one),
        dry_run=dry_run,
    )


def _labels(store: Store, target: Target, one: Object) -> Mapping[str, str]:
    if target.resource.bucket == _NAMESPACES:
        return {**(one["metadata"].get("labels") or {}), _NAME_LABEL: one["metadata"]["name"]}
    found = store.head(_NAMESPACES, Key("", one["metadata"].get("namespace") or ""))
    return found.labels if found else {}
