"""What Envoy itself answers when it cannot pass a request on: JSON that says why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rouse.embedded.refusals import TRAVEL_STATUSES
from rouse.kube.objects import Object

__all__ = ["CHECK_FAILED", "activator_replies", "gateway_replies"]

CHECK_FAILED: Final = 511
"""Stands for "the activator did not answer" inside the activator listener; clients see 503."""

_RETRY: Final = [
    {
        "header": {"key": "retry-after", "value": "1"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
]
_REPLIES: Final[Sequence[tuple[Sequence[str], str, bool]]] = (
    (
        ("NR",),
        'nothing is served at host "%REQ(:AUTHORITY)%"; see the hosts with '
        "`kubectl get inferenceservices -A`",
        False,
    ),
    (("UO",), "too many requests wait for this model; retry later", True),
    (("OM",), "the gateway is short of memory; retry later", True),
    (("UH", "NC"), "no replica of this model is ready", True),
    (("UF", "LH", "UC", "UR"), "the replica of this model closed the connection", True),
    (("UT", "UMSDR"), "the model did not answer in time", False),
    (
        ("DF",),
        'the host "%REQ(:AUTHORITY)%" has no address, nor is it a Service here: write '
        "name.namespace, name.namespace.svc or name.namespace.svc.cluster.local",
        False,
    ),
    (("SI", "DT"), "the connection was silent for too long", False),
)
"""Response flags, message, whether to ask for a retry."""


def gateway_replies() -> Object:
    """Make ``local_reply_config`` of a gateway. Direct responses of routes keep their own body."""
    return {"mappers": [_mapper(*reply) for reply in _REPLIES]}


def activator_replies() -> Object:
    """Make ``local_reply_config`` of the activator listener. Refusals keep their own body."""
    refusals = [
        {"filter": _status_is(travels_as), "status_code": status}
        for status, travels_as in TRAVEL_STATUSES.items()
    ]
    failed = {
        "filter": _status_is(CHECK_FAILED),
        "status_code": 503,
        "body_format_override": {"json_format": {"error": "the activator is not available"}},
        "headers_to_add": _RETRY,
    }
    return {"mappers": [*(_mapper(*reply) for reply in _REPLIES), *refusals, failed]}


def _status_is(status: int) -> Object:
    value = {"default_value": status, "runtime_key": f"rouse.status_{status}"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}


def _mapper(flags: Sequence[str], message: str, retry: bool) -> Object:
    mapper: Object = {
        "filter": {"response_flag_filter": {"flags": list(flags)}},
        "body_format_override": {"json_format": {"error": message}},
    }
    if retry:
        mapper["headers_to_add"] = _RETRY
    return mapper
