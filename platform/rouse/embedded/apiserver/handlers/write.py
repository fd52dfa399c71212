"""POST and PUT."""

from __future__ import annotations

import re

from rouse.embedded.apiserver import views
from rouse.embedded.apiserver.decoding import decode
from rouse.embedded.apiserver.errors import invalid, method_not_allowed
from rouse.embedded.apiserver.http import Request, Response
from rouse.embedded.apiserver.negotiation import output
from rouse.embedded.apiserver.records import Record
from rouse.embedded.apiserver.routes import Target
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.writes import Write, begin
from rouse.errors import FieldError

__all__ = ["answer", "create_object", "replace_object"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


async def create_object(state: State, target: Target, request: Request) -> Response:
    """POST to a collection."""
    if target.name:
        raise method_not_allowed("the server does not allow this method on the requested resource")
    write = begin(state, target, request)
    record = await write.create(decode(request, target))
    return answer(write, request, record, 201)


async def replace_object(state: State, target: Target, request: Request) -> Response:
    """PUT of an object or of its status."""
    if not target.name:
        raise method_not_allowed("the server does not allow this method on the requested resource")
    write = begin(state, target, request)
    new = decode(request, target)
    write.check_identity(new)
    old = state.store.head(target.resource.bucket, target.key)
    if old is None:
        raise target.not_found()
    if target.resource.custom and not new["metadata"].get("resourceVersion"):
        told = "Invalid value: 0: must be specified for an update"
        raise invalid(
            target.resource.group,
            target.resource.kind,
            target.name,
            [FieldError("metadata.resourceVersion", told)],
        )
    return answer(write, request, await write.update(old, new), 200)


def answer(write: Write, request: Request, record: Record, status: int) -> Response:
    """The stored object, with the warnings that came up on its way."""
    form = output(request.headers.get("accept", ""))
    response = views.one(write.state, write.target, request, form, record, status)
    response.headers.extend(("warning", f"299 - {quoted(text)}") for text in write.warnings)
    return response


def quoted(text: str) -> str:
    """A quoted-string of HTTP."""
    plain = _CONTROL.sub(" ", text.encode("ascii", "replace").decode())
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
