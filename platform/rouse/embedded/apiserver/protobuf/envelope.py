"""The envelope around every message: magic bytes, apiVersion, kind, and the message itself."""

from __future__ import annotations

from collections.abc import Mapping

from rouse.embedded.apiserver.errors import Object, StatusError, bad_request
from rouse.embedded.apiserver.protobuf.kinds import KINDS, MESSAGES
from rouse.embedded.apiserver.protobuf.wire import (
    Field,
    Message,
    UnknownFieldError,
    WireError,
    fields,
    read,
)

__all__ = ["MEDIA_TYPE", "decode_protobuf"]

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"

_TYPE: Mapping[str, Message] = {
    "Type": {1: Field("apiVersion", "string"), 2: Field("kind", "string")}
}


def decode_protobuf(body: bytes) -> Object:
    """The object in a body; 400 when it is damaged, 415 when its kind is not known here."""
    if not body.startswith(_MAGIC):
        raise bad_request("the body of the request is not in Kubernetes' protobuf form")
    try:
        head, raw = _opened(body[len(_MAGIC) :])
        kind, api_version = head.get("kind", ""), head.get("apiVersion", "")
        if kind != "DeleteOptions" and (api_version, kind) not in KINDS:
            raise _unsupported(f"{kind} ({api_version}) is not known in protobuf")
        return {"apiVersion": api_version, "kind": kind, **read(raw, kind, MESSAGES)}
    except UnknownFieldError as error:
        raise _unsupported(str(error)) from error
    except (WireError, RecursionError) as error:
        raise bad_request(f"the body of the request is damaged protobuf: {error}") from error


def _opened(data: bytes) -> tuple[Object, bytes]:
    raw = b""
    head: Object = {}
    for number, value in fields(data):
        if number == 1 and isinstance(value, bytes):
            head = read(value, "Type", _TYPE)
        elif number == 2 and isinstance(value, bytes):
            raw = value
    return head, raw


def _unsupported(why: str) -> StatusError:
    return StatusError(
        415,
        "UnsupportedMediaType",
        f"{why} by this server; send JSON or YAML instead, for example with kubectl apply -f",
    )
