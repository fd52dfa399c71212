"""AdmissionReview, `admission.k8s.io/v1`, from the side that asks. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from rouse.embedded.apiserver.conversion import converted, to_storage
from rouse.embedded.apiserver.errors import Object, StatusError
from rouse.embedded.apiserver.jsonpatch import PatchError, json_patch
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.webhooks.matching import Question
from rouse.errors import RouseError

__all__ = ["Answer", "ReviewError", "denial", "patched", "question_body", "read_answer"]

_API_VERSION: Final = "admission.k8s.io/v1"
_USER: Final = {"username": "rouse-admin", "groups": ["system:masters", "system:authenticated"]}
_MOST_WARNINGS: Final = 16
_WARNING_CHARS: Final = 256
_OPTIONS: Final = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


class ReviewError(RouseError):
    """A webhook's answer is none; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook said."""

    allowed: bool
    status: Object
    patch: Sequence[Any] = ()
    warnings: tuple[str, ...] = ()


def question_body(question: Question, version: str, uid: str) -> bytes:
    """Return the body that asks about a write, its objects in ``version``."""
    resource = question.resource
    api_version = resource.api_version(version)
    group_version = {"group": resource.group, "version": version}
    kind = {**group_version, "kind": resource.kind}
    named = {**group_version, "resource": resource.plural}
    asked = {"group": resource.group, "version": question.version}
    request = {
        "uid": uid,
        "kind": kind,
        "resource": named,
        "subResource": question.subresource,
        "requestKind": {**asked, "kind": resource.kind},
        "requestResource": {**asked, "resource": resource.plural},
        "requestSubResource": question.subresource,
        "name": question.name,
        "namespace": question.namespace,
        "operation": question.operation,
        "userInfo": _USER,
        "object": question.obj and converted(question.obj, api_version),
        "oldObject": question.old and converted(question.old, api_version),
        "dryRun": question.dry_run,
        "options": {
            "apiVersion": "meta.k8s.io/v1",
            "kind": _OPTIONS[question.operation],
            **({"dryRun": ["All"]} if question.dry_run else {}),
        },
    }
    left_out = [name for name in ("subResource", "requestSubResource") if not request[name]]
    if not question.namespace:
        left_out.append("namespace")
    shown = {name: value for name, value in request.items() if name not in left_out}
    review = {"apiVersion": _API_VERSION, "kind": "AdmissionReview", "request": shown}
    return orjson.dumps(review)


def read_answer(body: bytes, uid: str) -> Answer:
    """Read an answer to the question ``uid``; raises ReviewError."""
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ReviewError("its answer is no JSON") from error
    response = review.get("response") if isinstance(review, dict) else None
    if not isinstance(response, dict) or review.get("kind") != "AdmissionReview":
        raise ReviewError("its answer is no AdmissionReview with a response")
    if review.get("apiVersion") != _API_VERSION:
        raise ReviewError(f"its answer is in {review.get('apiVersion')!r}, not {_API_VERSION}")
    if response.get("uid") != uid:
        raise ReviewError(f"expected response.uid {uid!r}, got {response.get('uid')!r}")
    status = response.get("status") or {}
    if not isinstance(response.get("allowed"), bool) or not isinstance(status, dict):
        raise ReviewError("response.allowed must be a boolean, response.status an object")
    said = response.get("warnings") or []
    if not isinstance(said, list):
        raise ReviewError("response.warnings must be a list")
    warnings = [str(each)[:_WARNING_CHARS] for each in said]
    patch = _patch(response)
    return Answer(response["allowed"], status, patch, tuple(warnings[:_MOST_WARNINGS]))


def patched(obj: Object, answer: Answer, resource: Resource, version: str) -> Object:
    """Return a stored object as a webhook, asked in ``version``, changed it.

    Raises ReviewError where it cannot be so.
    """
    api_version = resource.api_version(version)
    try:
        changed: Any = json_patch(converted(obj, api_version), list(answer.patch))
    except PatchError as error:
        raise ReviewError(f"its patch does not fit: {error.message}") from error
    metadata = changed.get("metadata") if isinstance(changed, dict) else None
    if not isinstance(metadata, dict):
        raise ReviewError("its patch leaves no object with metadata")
    for name in ("name", "namespace", "uid"):
        if metadata.get(name) != obj["metadata"].get(name):
            raise ReviewError(f"its patch changes metadata.{name}")
    if changed.get("kind") != obj.get("kind") or changed.get("apiVersion") != api_version:
        raise ReviewError("its patch changes apiVersion or kind")
    return to_storage(changed, resource)


def denial(hook: str, status: Object) -> StatusError:
    """Return a webhook's refusal as the API server tells it."""
    told = f'admission webhook "{hook}" denied the request'
    if said := status.get("message") or status.get("reason"):
        told = f"{told}: {said}"
    else:
        told = f"{told} without explanation"
    code = status.get("code")
    details = status.get("details")
    return StatusError(
        code if isinstance(code, int) and 400 <= code < 600 else 400,
        str(status.get("reason") or ""),
        told,
        details=details if isinstance(details, dict) else None,
    )


def _patch(response: Object) -> list[Any]:
    if response.get("patch") is None:
        return []
    if response.get("patchType") != "JSONPatch":
        raise ReviewError("response.patch needs patchType JSONPatch")
    try:
        operations = orjson.loads(base64.b64decode(response["patch"], validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise ReviewError("response.patch is no JSON in base64") from error
    if not isinstance(operations, list):
        raise ReviewError("response.patch is no list of operations")
    return operations
