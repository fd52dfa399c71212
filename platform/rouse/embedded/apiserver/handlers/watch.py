"""WATCH: the changes of a collection, one JSON document a line, until someone hangs up."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson

from rouse.embedded.apiserver import views
from rouse.embedded.apiserver.errors import StatusError, bad_request
from rouse.embedded.apiserver.handlers.read import check_revision, request_selector, selected
from rouse.embedded.apiserver.http import Request, StreamResponse
from rouse.embedded.apiserver.negotiation import Output, output
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.selectors import Selector, selector
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.watchers import Watcher

__all__ = ["watch_objects"]

BOOKMARK_S = 50.0
DEFAULT_TIMEOUT_S = 1800
MAX_TIMEOUT_S = 7200
_END = {"k8s.io/initial-events-end": "true"}


@dataclass(frozen=True, slots=True)
class _Options:
    revision: int
    initial: bool
    """Whether the present state comes first, as ADDED events."""
    marks: bool
    announce_end: bool
    timeout_s: float


def watch_objects(state: State, target: Target, request: Request) -> StreamResponse:
    """Register the watcher now, with nothing lost in between; stream later."""
    form = output(request.headers.get("accept", ""))
    options = _options(request, check_revision(state, request))
    include = views.include_of(request)
    plain = form == Output()
    watcher = Watcher(
        target.namespace,
        _selector(target, request),
        lambda record: views.watched(state, target, form, record, include),
        target.api_version if plain else None,
    )
    try:
        _replay(state, target, request, watcher, options)
    except StatusError as refusal:
        watcher.push_raw(_event("ERROR", orjson.dumps(refusal.body())))
        watcher.close()
    else:
        if options.announce_end:
            watcher.push_raw(_bookmark(target, state.store.revision, _END))
        state.hub.add(target.resource.bucket, watcher)
    return StreamResponse(_stream(state, target, watcher, options))


def _selector(target: Target, request: Request) -> Selector:
    """The request's selectors; a watch of one object selects its name."""
    if not target.name:
        return request_selector(target, request)
    return selector(target.resource.bucket, "", f"metadata.name={target.name}")


def _replay(
    state: State, target: Target, request: Request, watcher: Watcher, options: _Options
) -> None:
    if options.initial:
        chosen = _selector(target, request)
        for record in selected(state, target, chosen):
            watcher.push_state(record)
        return
    for change in state.store.since(target.resource.bucket, options.revision):
        watcher.offer(change)


async def _stream(
    state: State, target: Target, watcher: Watcher, options: _Options
) -> AsyncIterator[bytes]:
    bucket = target.resource.bucket
    end = time.monotonic() + options.timeout_s
    try:
        while (left := end - time.monotonic()) > 0:
            lines = await watcher.take(min(left, BOOKMARK_S))
            if lines is None:
                return
            if lines:
                yield lines
            elif options.marks and left > BOOKMARK_S:
                yield _bookmark(target, state.store.revision, None)
    finally:
        state.hub.discard(bucket, watcher)


def _options(request: Request, revision: int) -> _Options:
    timeout = request.number("timeoutSeconds") or DEFAULT_TIMEOUT_S
    marks = request.flag("allowWatchBookmarks")
    asked = "sendInitialEvents" in request.query
    announced = request.flag("sendInitialEvents")
    match = request.query.get("resourceVersionMatch", "")
    if asked and match != "NotOlderThan":
        raise bad_request("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if match and not asked:
        raise bad_request("resourceVersionMatch is forbidden for watch unless sendInitialEvents")
    return _Options(
        revision=revision,
        initial=announced or (not asked and revision == 0),
        marks=marks,
        announce_end=announced and marks,
        timeout_s=float(min(timeout, MAX_TIMEOUT_S)),
    )


def _bookmark(target: Target, revision: int, annotations: dict[str, str] | None) -> bytes:
    metadata: dict[str, object] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    body = {
        "kind": target.resource.kind,
        "apiVersion": target.api_version,
        "metadata": metadata,
    }
    return _event("BOOKMARK", orjson.dumps(body))


def _event(kind: str, raw: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + raw + b"}\n"
