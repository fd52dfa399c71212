"""GET of pods/log, once or following."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rouse.embedded.apiserver.errors import Object, bad_request, method_not_allowed
from rouse.embedded.apiserver.http import Request, Response, StreamResponse
from rouse.embedded.apiserver.logs import (
    LogOptions,
    log_files,
    parse_line,
    since_offset,
    tail_offset,
)
from rouse.embedded.apiserver.records import Record
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.state import State

__all__ = ["pod_log"]

POLL_S = 0.1
BLOCK = 256 * 1024
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
    """Blocks of lines; when following, until the container or the pod has ended."""
    offset: int | None = None
    left = options.limit
    rest = b""
    while True:
        ended = not following or _ended(state, target, record, container)
        if file is None:
            file = _file(state, target, container, previous=False)
        while file is not None:
            if offset is None:
                offset = await asyncio.to_thread(_start, file, options)
            block = await asyncio.to_thread(_block, file, offset)
            if not block:
                break
            offset += len(block)
            *lines, rest = (rest + block).split(b"\n")
            text = b"".join(
                parse_line(line + b"\n", timestamps=options.timestamps) for line in lines
            )
            if left is not None:
                text = text[:left]
                left -= len(text)
            if text:
                yield text
            if left == 0:
                return
        if ended:
            return
        await asyncio.sleep(POLL_S)


def _start(file: Path, options: LogOptions) -> int:
    with file.open("rb") as opened:
        floor = since_offset(opened, options.since) if options.since else 0
        return floor if options.tail is None else tail_offset(opened, options.tail, floor)


def _block(file: Path, offset: int) -> bytes:
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read(BLOCK)


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
