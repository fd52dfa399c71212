"""AdmissionReview (admission.k8s.io/v1): read from bytes, answered in its own terms. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final

import orjson

from rouse.api.base import Object
from rouse.errors import FieldError, InvalidError

__all__ = [
    "API_VERSION",
    "AdmissionRequest",
    "Verdict",
    "answer",
    "denied",
    "invalid",
    "read_review",
    "unsupported",
]

API_VERSION: Final = "admission.k8s.io/v1"

_GROUP: Final = "admission.k8s.io/"
_MOST_WARNINGS: Final = 20
_WARNING_CHARS: Final = 256
"""The API server cuts longer ones, and all of them beyond some kilobytes."""


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What is asked: may ``object`` (on an update in the place of ``old``) be stored?

    ``object`` is None on a delete, ``old`` on a create. Nothing is stored by the webhooks, so that
    a ``dry_run`` is answered as any other.
    """

    uid: str
    operation: str
    kind: str
    group: str
    resource: str
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    object: Object | None = None
    old: Object | None = None
    dry_run: bool = False
    api_version: str = API_VERSION


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: allowed, perhaps with a JSON patch (RFC 6902), or why not."""

    allowed: bool = True
    status: Object | None = None
    patch: Sequence[Object] = ()
    warnings: Sequence[str] = field(default=())

    def warned(self, *more: str) -> Verdict:
        """Return the same with more warnings."""
        return replace(self, warnings=(*self.warnings, *more))


def read_review(body: bytes) -> AdmissionRequest:
    """Read the body of a call; raises InvalidError where it is no AdmissionReview."""
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidError(f"the body is no JSON: {error}") from error
    if not isinstance(review, dict) or review.get("kind") != "AdmissionReview":
        raise InvalidError(f"the body is no AdmissionReview of {API_VERSION}")
    version = review.get("apiVersion")
    if not isinstance(version, str) or not version.startswith(_GROUP):
        raise InvalidError(f"apiVersion is {version!r}; this webhook speaks {API_VERSION}")
    asked = _dict(review, "request")
    kind, resource = _dict(asked, "kind"), _dict(asked, "resource")
    uid = _text(asked, "uid")
    if not uid:
        raise InvalidError("request.uid is empty: the answer could not be told from others")
    return AdmissionRequest(
        uid=uid,
        operation=_text(asked, "operation"),
        kind=_text(kind, "kind"),
        group=_text(kind, "group"),
        resource=_text(resource, "resource"),
        subresource=_text(asked, "subResource"),
        name=_text(asked, "name"),
        namespace=_text(asked, "namespace"),
        object=_object(asked, "object"),
        old=_object(asked, "oldObject"),
        dry_run=asked.get("dryRun") is True,
        api_version=version,
    )


def answer(request: AdmissionRequest, verdict: Verdict) -> bytes:
    """Return the body of the answer."""
    response: Object = {"uid": request.uid, "allowed": verdict.allowed}
    if verdict.status is not None:
        response["status"] = verdict.status
    if verdict.allowed and verdict.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(orjson.dumps(list(verdict.patch))).decode()
    if verdict.warnings:
        response["warnings"] = [each[:_WARNING_CHARS] for each in verdict.warnings][:_MOST_WARNINGS]
    review = {"apiVersion": request.api_version, "kind": "AdmissionReview", "response": response}
    return orjson.dumps(review)


def denied(code: HTTPStatus, reason: str, message: str, details: Object | None = None) -> Verdict:
    """Return a refusal as a Kubernetes ``Status``, which kubectl shows as it is."""
    status: Object = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": int(code),
        "reason": reason,
        "message": message,
    }
    if details:
        status["details"] = details
    return Verdict(allowed=False, status=status)


def invalid(
    request: AdmissionRequest, message: str, findings: Sequence[FieldError] = ()
) -> Verdict:
    """Return a refusal (422) with every finding as a cause with its field path."""
    details: Object = {"name": request.name, "group": request.group, "kind": request.kind}
    if findings:
        details["causes"] = [
            {"reason": "FieldValueInvalid", "message": each.message, "field": each.path}
            for each in findings
        ]
    given = {key: value for key, value in details.items() if value}
    return denied(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, given)


def unsupported(request: AdmissionRequest) -> Verdict | None:
    """Return the refusal of a version that is not spoken, None for the one that is."""
    if request.api_version == API_VERSION:
        return None
    message = (
        f"the webhook was asked in {request.api_version} and speaks {API_VERSION} only: set "
        "admissionReviewVersions: [v1] in the webhook configuration"
    )
    return denied(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def _dict(parent: Object, name: str) -> Object:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise InvalidError(f"{name} of the AdmissionReview must be an object, not {_shown(value)}")
    return value


def _object(parent: Object, name: str) -> Object | None:
    return None if parent.get(name) is None else _dict(parent, name)


def _text(parent: Object, name: str) -> str:
    value = parent.get(name, "")
    if not isinstance(value, str):
        raise InvalidError(f"{name} of the AdmissionReview must be text, not {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    return repr(value)[:80]
