"""GET of pods/log, once or following."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rouse.embedded.apiserver.errors import Object, bad_request, method_not_allowed
from rouse.embedded.apiserver.http import Request, Response, StreamResponse
from rouse.embedded.apiserver.logs import LogOptions, LogTail, log_files
from rouse.embedded.apiserver.records import Record
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.state import State

__all__ = ["pod_log"]

POLL_S = 0.1
_TEXT = "text/plain"


async def pod_log(state: State, target: Target, request: Request) -> Response | StreamResponse:
    """The log of a container, as lines of text."""
    if request.method != "GET":
        raise method_not_allowed("the server does not allow this method on the requested resource")
    record = state.store.get(target.resource.bucket, target.key)
    if record is None:
        raise target.not_found()
    pod = record.object()
    container = _container(pod, request.query.get("container", ""))
    previous = request.flag("previous")
    options = _options(state, request)
    file = _file(state, target, container, previous=previous)
    if file is None:
        if previous:
            raise bad_request(
                f'previous terminated container "{container}" in pod "{target.name}" not found'
            )
        if not request.flag("follow") and not _started(pod, container):
            raise bad_request(
                f'container "{container}" in pod "{target.name}" is waiting to start: '
                f"{_waiting(pod, container)}"
            )
    following = request.flag("follow") and not previous
    chunks = _read(state, target, record, container, file, options, following)
    return StreamResponse(chunks, content_type=_TEXT)


async def _read(
    state: State,
    target: Target,
    record: Record,
    container: str,
    file: Path | None,
    options: LogOptions,
    following: bool,
) -> AsyncIterator[bytes]:
    """Blocks of lines; when following, until the container has ended, or started anew."""
    tail: LogTail | None = None
    while True:
        newest = _file(state, target, container, previous=False) if following else file
        file = file or newest
        # Looked at before reading: what was written until then is still read below.
        ended = not following or newest != file or _ended(state, target, record, container)
        if file is not None:
            tail = tail or LogTail(file, options)
            while text := await asyncio.to_thread(tail.next_block):
                yield text
            if tail.exhausted:
                return
        if ended:
            return
        await asyncio.sleep(POLL_S)


def _file(state: State, target: Target, container: str, *, previous: bool) -> Path | None:
    if state.logs is None:
        return None
    files = log_files(state.logs / f"{target.namespace}_{target.name}" / container)
    if previous:
        files = files[:-1]
    return files[-1] if files else None


def _options(state: State, request: Request) -> LogOptions:
    since: datetime | None = None
    seconds = request.number("sinceSeconds")
    if seconds is not None:
        since = state.clock() - timedelta(seconds=seconds)
    elif request.query.get("sinceTime"):
        try:
            since = datetime.fromisoformat(request.query["sinceTime"])
        except ValueError as error:
            raise bad_request(f"sinceTime is not an RFC 3339 time: {error}") from error
        since = since if since.tzinfo else since.replace(tzinfo=UTC)
    return LogOptions(
        timestamps=request.flag("timestamps"),
        tail=request.number("tailLines"),
        since=since,
        limit=request.number("limitBytes"),
    )


def _container(pod: Object, asked: str) -> str:
    spec = pod.get("spec") or {}
    names = [
        str(each.get("name"))
        for part in ("containers", "initContainers")
        for each in spec.get(part) or ()
    ]
    name = pod["metadata"]["name"]
    if asked:
        if asked not in names:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    choices = [str(each.get("name")) for each in spec.get("containers") or ()]
    if len(choices) != 1:
        raise bad_request(
            f"a container name must be specified for pod {name}, choose one of: {choices}"
        )
    return choices[0]


def _state(pod: Object, container: str) -> Object:
    status = pod.get("status") or {}
    for part in ("containerStatuses", "initContainerStatuses"):
        for each in status.get(part) or ():
            if each.get("name") == container:
                found = each.get("state")
                return found if isinstance(found, dict) else {}
    return {}


def _started(pod: Object, container: str) -> bool:
    state = _state(pod, container)
    return "running" in state or "terminated" in state


def _waiting(pod: Object, container: str) -> str:
    waiting = _state(pod, container).get("waiting") or {}
    return str(waiting.get("reason") or "ContainerCreating")


def _ended(state: State, target: Target, record: Record, container: str) -> bool:
    """Whether no more lines will come."""
    now = state.store.get(target.resource.bucket, target.key)
    if now is None or now.uid != record.uid:
        return True
    return "terminated" in _state(now.object(), container)
