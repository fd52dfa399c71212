"""PATCH: JSON, merge and strategic merge patches, and server-side apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rouse.embedded.apiserver.conversion import converted
from rouse.embedded.apiserver.decoding import (
    media_type,
    parse_json,
    parse_yaml,
    typed,
    unsupported,
)
from rouse.embedded.apiserver.errors import (
    ATTEMPTS,
    Object,
    OutpacedError,
    StatusError,
    bad_request,
    invalid,
    method_not_allowed,
)
from rouse.embedded.apiserver.handlers.write import answer
from rouse.embedded.apiserver.http import Request, Response
from rouse.embedded.apiserver.jsonpatch import PatchError, json_patch, merge_patch
from rouse.embedded.apiserver.managedfields import ApplyConflictError, apply_patch
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.schema import Schema
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.strategic import strategic_merge_patch
from rouse.embedded.apiserver.writes import begin
from rouse.errors import FieldError, InvalidError

__all__ = ["apply_conflict", "patch_object"]

_JSON_PATCH = "application/json-patch+json"
_MERGE = "application/merge-patch+json"
_STRATEGIC = "application/strategic-merge-patch+json"
_APPLY = "application/apply-patch+yaml"


async def patch_object(state: State, target: Target, request: Request) -> Response:
    """PATCH of an object or of its status, by the Content-Type's rules."""
    # A patch says what to change, so that it is made again on what is there now.
    for _ in range(ATTEMPTS - 1):
        try:
            return await _patch(state, target, request)
        except OutpacedError:
            continue
    return await _patch(state, target, request)


async def _patch(state: State, target: Target, request: Request) -> Response:
    if not target.name:
        raise method_not_allowed("the server does not allow this method on the requested resource")
    media = media_type(request)
    if media == _APPLY:
        return await _apply(state, target, request)
    change = patcher(state, target, media, parse_json(request.body))
    write = begin(state, target, request)
    old = state.store.head(target.resource.bucket, target.key)
    if old is None:
        raise target.not_found()
    live = converted(old.object(), target.api_version)
    new = typed(patched(target, change, live), target)
    write.check_identity(new)
    return answer(write, request, await write.update(old, new), 200)


def patcher(state: State, target: Target, media: str, patch: Any) -> Callable[[Object], Any]:
    """The function that applies a parsed patch to a document."""
    resource = target.resource
    if media == _JSON_PATCH:
        if not isinstance(patch, list):
            raise bad_request("a JSON patch must be a list of operations")
        return lambda live: json_patch(live, patch)
    if media not in {_MERGE, _STRATEGIC}:
        raise unsupported(media, ", ".join((_JSON_PATCH, _MERGE, _STRATEGIC, _APPLY)))
    if not isinstance(patch, dict):
        raise bad_request("a merge patch must be an object")
    if media == _MERGE:
        return lambda live: merge_patch(live, patch)
    if resource.custom:
        raise unsupported(media, ", ".join((_JSON_PATCH, _MERGE, _APPLY)))
    schema: Schema = state.registry.schema(resource, target.version)
    return lambda live: strategic_merge_patch(live, patch, schema)


def patched(target: Target, change: Callable[[Object], Any], live: Object) -> Any:
    """The document after the patch; 422 when the patch does not fit it."""
    try:
        return change(live)
    except PatchError as error:
        resource = target.resource
        finding = FieldError("patch", f"Invalid value: {error}")
        raise invalid(resource.group, resource.kind, target.name, [finding]) from error


def apply_conflict(error: ApplyConflictError) -> StatusError:
    """409 with every field another manager owns, as kubectl prints it."""
    return StatusError(409, "Conflict", str(error), details={"causes": error.causes})


async def _apply(state: State, target: Target, request: Request) -> Response:
    write = begin(state, target, request)
    if not request.query.get("fieldManager"):
        raise bad_request(
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: '
            "is required for apply patch"
        )
    applied = typed(parse_yaml(request.body), target)
    write.check_identity(applied)
    old = state.store.head(target.resource.bucket, target.key)
    if old is None and target.subresource:
        raise target.not_found()
    uid = applied["metadata"].get("uid") or ""
    if uid and (old is None or old.uid != uid):
        found = "no existing object was found" if old is None else f"existing uid {old.uid}"
        raise target.conflict(f"uid mismatch: the provided object specified uid {uid}, and {found}")
    write.drop_unknown(applied)
    if target.resource.status and not target.subresource:
        applied.pop("status", None)  # not this endpoint's: nobody comes to own it by applying it
    try:
        new = apply_patch(
            None if old is None else old.object(),
            applied,
            manager=write.manager,
            force=request.flag("force"),
            subresource=target.subresource,
            schema=state.registry.schema(target.resource, target.version),
            now=write.now,
        )
    except ApplyConflictError as error:
        raise apply_conflict(error) from error
    except InvalidError as error:
        raise bad_request(str(error)) from error
    if old is None:
        return answer(write, request, await write.create(new, track=False), 201)
    return answer(write, request, await write.update(old, new, track=False), 200)
