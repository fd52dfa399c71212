"""GET of one object and of lists."""

from __future__ import annotations

from rouse.embedded.apiserver import views
from rouse.embedded.apiserver.errors import Object, StatusError, bad_request, expired
from rouse.embedded.apiserver.http import Request, Response
from rouse.embedded.apiserver.negotiation import output
from rouse.embedded.apiserver.pages import Pages
from rouse.embedded.apiserver.records import Key, Record
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.selectors import Selector, selector
from rouse.embedded.apiserver.state import State

__all__ = ["check_revision", "get_object", "list_objects", "request_selector", "selected"]


def get_object(state: State, target: Target, request: Request) -> Response:
    """One object; subresources status shows the same."""
    record = state.store.get(target.resource.bucket, target.key)
    if record is None:
        raise target.not_found()
    form = output(request.headers.get("accept", ""))
    return views.one(state, target, request, form, record, 200)


def list_objects(state: State, target: Target, request: Request, pages: Pages) -> Response:
    """A list at the newest committed revision, in pages when ``limit`` is given."""
    form = output(request.headers.get("accept", ""))
    limit = request.number("limit")
    token = request.query.get("continue", "")
    chosen = request_selector(target, request)
    if token:
        revision, records = pages.take(token)
    else:
        _check_match(state, request)
        revision = state.store.revision
        records = selected(state, target, chosen)
    metadata: Object = {"resourceVersion": str(revision)}
    if limit and len(records) > limit:
        rest = records[limit:]
        records = records[:limit]
        metadata["continue"] = pages.keep(revision, rest)
        if chosen.empty:
            metadata["remainingItemCount"] = len(rest)
    return views.page(state, target, request, form, records, metadata)


def request_selector(target: Target, request: Request) -> Selector:
    """The compiled selectors of a request."""
    query = request.query
    return selector(
        target.resource.bucket, query.get("labelSelector", ""), query.get("fieldSelector", "")
    )


def selected(state: State, target: Target, chosen: Selector) -> list[Record]:
    """Committed objects a collection request is about."""
    store, bucket = state.store, target.resource.bucket
    if chosen.name and (target.namespace or not target.resource.namespaced):
        record = store.get(bucket, Key(target.namespace, chosen.name))
        found = [] if record is None else [record]
    else:
        found = store.records(bucket, target.namespace)
    return found if chosen.empty else [record for record in found if chosen.matches(record)]


def check_revision(state: State, request: Request) -> int:
    """The asked resourceVersion, 0 when none; 504 for one this server has not reached."""
    revision = request.number("resourceVersion") or 0
    if revision > state.store.revision:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise StatusError(
            504,
            "Timeout",
            f"Too large resource version: {revision}, current: {state.store.revision}",
            details={"causes": [cause], "retryAfterSeconds": 1},
        )
    return revision


def _check_match(state: State, request: Request) -> None:
    """A list always shows the newest state; refuse what asks for another."""
    match = request.query.get("resourceVersionMatch", "")
    if match not in {"", "Exact", "NotOlderThan"}:
        raise bad_request(
            f'resourceVersionMatch={match!r}: supported values: "Exact", "NotOlderThan"'
        )
    if match and not request.query.get("resourceVersion"):
        raise bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
    revision = check_revision(state, request)
    if match == "Exact" and revision != state.store.revision:
        raise expired(f"The resourceVersion for the provided list is too old: {revision}")
