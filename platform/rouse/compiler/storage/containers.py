"""Which ClusterStorageContainer fetches a location."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.compiler.errors import CompileError

__all__ = ["matching_container"]

_INIT_CONTAINER = "initContainer"


def matching_container(uris: Sequence[str], containers: Iterable[Object]) -> Object | None:
    """Return the container of the first ClusterStorageContainer, by name, for all of ``uris``.

    None when there is none: then Rouse's own initializer fetches. Raises CompileError when one
    fits but takes a single location only.
    """
    fitting = [
        each
        for each in sorted(containers, key=lambda one: str(one["metadata"]["name"]))
        if _is_used(each) and all(_supports(each, uri) for uri in uris)
    ]
    if not fitting:
        return None
    for each in fitting:
        if len(uris) == 1 or each["spec"].get("supportsMultiModelDownload"):
            container: Object = each["spec"]["container"]
            return container
    raise CompileError(
        Reason.INVALID_SPEC,
        f'the ClusterStorageContainer "{fitting[0]["metadata"]["name"]}" fetches one location, and '
        f"storageUris has {len(uris)}; set supportsMultiModelDownload: true in it when it can "
        "fetch several",
    )


def _is_used(container: Object) -> bool:
    workload = container["spec"].get("workloadType") or _INIT_CONTAINER
    return not container.get("disabled") and workload == _INIT_CONTAINER


def _supports(container: Object, uri: str) -> bool:
    return any(
        _matches(each, uri, container["metadata"]["name"])
        for each in container["spec"].get("supportedUriFormats") or ()
    )


def _matches(form: Object, uri: str, name: str) -> bool:
    if form.get("prefix"):
        return uri.startswith(str(form["prefix"]))
    if not form.get("regex"):
        return False
    try:
        return re.search(form["regex"], uri) is not None
    except re.error as error:
        raise CompileError(
            Reason.INVALID_SPEC,
            f'the ClusterStorageContainer "{name}" has the regex "{form["regex"]}", which is '
            f"malformed: {error}",
        ) from error
