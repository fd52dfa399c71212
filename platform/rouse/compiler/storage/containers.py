"""Which ClusterStorageContainer fetches a location."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.compiler.errors import CompileError

__all__ = ["known_formats", "matching_container"]

_INIT_CONTAINER = "initContainer"


def matching_container(
    uris: Sequence[str], containers: Iterable[Object], name: str = ""
) -> Object | None:
    """Return the container of the ClusterStorageContainer ``name`` for all of ``uris``.

    Without a name it is the first one, by name, that fits; None when none does: then Rouse's own
    initializer fetches. Raises CompileError when the one that is named cannot be used, or one fits
    but takes a single location only.
    """
    if name:
        fitting = [_named(name, uris, containers)]
    else:
        fitting = [each for each in _used(containers) if all(_supports(each, uri) for uri in uris)]
    if not fitting:
        return None
    for each in fitting:
        if len(uris) <= 1 or each["spec"].get("supportsMultiModelDownload"):
            container: Object = each["spec"]["container"]
            return container
    raise CompileError(
        Reason.INVALID_SPEC,
        f'the ClusterStorageContainer "{fitting[0]["metadata"]["name"]}" fetches one location, and '
        f"storageUris has {len(uris)}; set supportsMultiModelDownload: true in it when it can "
        "fetch several",
    )


def known_formats(containers: Iterable[Object]) -> list[str]:
    """Return the locations that the containers fetch, each as a prefix or a pattern, sorted."""
    forms = [form for each in _used(containers) for form in _formats(each)]
    return sorted({str(form.get("prefix") or f"regex {form.get('regex')}") for form in forms})


def _named(name: str, uris: Sequence[str], containers: Iterable[Object]) -> Object:
    listed = sorted(containers, key=_name)
    found = next((each for each in listed if _name(each) == name), None)
    what = f'the ClusterStorageContainer "{name}"'
    if found is None:
        known = ", ".join(_name(each) for each in listed if _is_used(each)) or "none"
        raise CompileError(Reason.INVALID_SPEC, f"there is no {what[4:]}; there are: {known}")
    if not _is_used(found):
        why = "is disabled" if found.get("disabled") else "is not for initContainers"
        raise CompileError(Reason.INVALID_SPEC, f"{what} {why}; name another one")
    for uri in uris:
        if not _supports(found, uri):
            known = ", ".join(known_formats([found]))
            raise CompileError(
                Reason.INVALID_SPEC, f'{what} does not support "{uri}"; it supports: {known}'
            )
    return found


def _used(containers: Iterable[Object]) -> list[Object]:
    return sorted(filter(_is_used, containers), key=_name)


def _name(container: Object) -> str:
    return str(container["metadata"]["name"])


def _formats(container: Object) -> list[Object]:
    return container["spec"].get("supportedUriFormats") or []


def _is_used(container: Object) -> bool:
    workload = container["spec"].get("workloadType") or _INIT_CONTAINER
    return not container.get("disabled") and workload == _INIT_CONTAINER


def _supports(container: Object, uri: str) -> bool:
    return any(_matches(each, uri, _name(container)) for each in _formats(container))


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
