"""DELETE of one object and of collections."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rouse.embedded.apiserver import views
from rouse.embedded.apiserver.decoding import parse
from rouse.embedded.apiserver.deletion import Options, Propagation, delete
from rouse.embedded.apiserver.errors import (
    ATTEMPTS,
    MODIFIED,
    Object,
    bad_request,
    forbidden,
    success,
)
from rouse.embedded.apiserver.handlers.read import request_selector, selected
from rouse.embedded.apiserver.http import Request, Response, json_response
from rouse.embedded.apiserver.negotiation import output
from rouse.embedded.apiserver.records import Record
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.webhooks import question_of

__all__ = ["delete_collection", "delete_object"]

PROTECTED = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


async def delete_object(state: State, target: Target, request: Request) -> Response:
    """DELETE: 200 with a Status when it is gone, with the object while something holds it."""
    options = _options(request)
    record = state.store.head(target.resource.bucket, target.key)
    if record is None:
        raise target.not_found()
    _check(target, record, options)
    record = await _consented(state, target, record, options)
    if record is None:
        raise target.not_found()
    gone, written = delete(state, target.resource, record, options)
    if written is not None:
        record = await written
    if gone:
        resource = target.resource
        return json_response(
            success(name=target.name, group=resource.group, kind=resource.plural, uid=record.uid)
        )
    form = output(request.headers.get("accept", ""))
    return views.one(state, target, request, form, record, 200)


async def delete_collection(state: State, target: Target, request: Request) -> Response:
    """DELETE of all a list with the same selectors would show."""
    if target.resource.bucket in {"/namespaces", "/services"}:
        raise forbidden(
            target.resource.group, target.resource.plural, "", "deletecollection is not offered"
        )
    options = _options(request)
    waiting = []
    for listed in selected(state, target, request_selector(target, request)):
        record = state.store.head(target.resource.bucket, listed.key)
        if record is not None:
            at = replace(target, namespace=listed.key.namespace, name=listed.key.name)
            record = await _consented(state, at, record, options)
        if record is not None:
            _, written = delete(state, target.resource, record, options)
            if written is not None:
                waiting.append(written)
    await asyncio.gather(*waiting)
    return json_response(success(kind=target.resource.plural, group=target.resource.group))


async def _consented(
    state: State, target: Target, record: Record, options: Options
) -> Record | None:
    """Return the record as it is once no webhook has anything against its end; None when gone."""
    webhooks = state.webhooks
    for _ in range(ATTEMPTS):
        if webhooks.are_none or record.deleting:
            return record
        question = question_of(
            state.store, target, "DELETE", None, record.object(), dry_run=options.dry_run
        )
        for mutating in (True, False):
            if asked := webhooks.find(question, mutating=mutating):
                await webhooks.validate(asked, question, [])
        found = state.store.head(target.resource.bucket, record.key)
        # One of the same name that was made meanwhile is nobody's that was to be deleted.
        if found is None or found.uid != record.uid:
            return None
        _check(target, found, options)
        if found is record:
            return record
        record = found
    raise target.conflict(MODIFIED)


def _check(target: Target, record: Record, options: Options) -> None:
    if target.resource.bucket == "/namespaces" and target.name in PROTECTED:
        raise target.forbidden(target.name, "this namespace may not be deleted")
    if options.uid and options.uid != record.uid:
        raise target.conflict(
            f"Precondition failed: UID in precondition: {options.uid}, "
            f"UID in object meta: {record.uid}"
        )
    if options.revision and options.revision != str(record.revision):
        raise target.conflict(
            f"Precondition failed: ResourceVersion in precondition: {options.revision}, "
            f"ResourceVersion in object meta: {record.revision}"
        )


def _options(request: Request) -> Options:
    body = _body(request)
    query = request.query
    grace = body.get("gracePeriodSeconds")
    if grace is None:
        grace = request.number("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or grace < 0):
        raise bad_request(f"gracePeriodSeconds={grace!r} must be a number of at least 0")
    asked = body.get("dryRun") or [query["dryRun"]] if "dryRun" in query else body.get("dryRun")
    if asked and asked != ["All"]:
        raise bad_request(f'dryRun={asked!r}: supported values: "All"')
    preconditions = body.get("preconditions") or {}
    if not isinstance(preconditions, dict):
        raise bad_request("preconditions must be an object")
    return Options(
        propagation=_propagation(body, request),
        grace_s=grace,
        uid=str(preconditions.get("uid") or ""),
        revision=str(preconditions.get("resourceVersion") or ""),
        dry_run=bool(asked),
    )


def _propagation(body: Object, request: Request) -> Propagation:
    asked = body.get("propagationPolicy") or request.query.get("propagationPolicy", "")
    if asked == "Foreground":
        return "Foreground"
    if asked == "Orphan" or (not asked and body.get("orphanDependents") is True):
        return "Orphan"
    if asked in {"", "Background"}:
        return "Background"
    raise bad_request(
        f'propagationPolicy={asked!r}: supported values: "Background", "Foreground", "Orphan"'
    )


def _body(request: Request) -> Object:
    if not request.body.strip():
        return {}
    parsed = parse(request)
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise bad_request("the body of a DELETE must be DeleteOptions")
    return parsed
