"""Answers of the API, mapped to the error tree."""

from __future__ import annotations

import httpx
import pytest

from rouse import errors
from rouse.kube.errors import error_of_response, error_of_status, error_of_transport
from tests.unit.kube.scripted import refusal


@pytest.mark.parametrize(
    ("code", "reason", "kind", "retryable"),
    [
        (400, "BadRequest", errors.RejectedError, False),
        (401, "Unauthorized", errors.RejectedError, False),
        (403, "Forbidden", errors.RejectedError, False),
        (404, "NotFound", errors.NotFoundError, False),
        (405, "MethodNotAllowed", errors.RejectedError, False),
        (408, "Timeout", errors.UnavailableError, True),
        (409, "AlreadyExists", errors.AlreadyExistsError, False),
        (409, "Conflict", errors.ConflictError, True),
        (410, "Expired", errors.GoneError, True),
        (422, "Invalid", errors.RejectedError, False),
        (429, "TooManyRequests", errors.TooManyRequestsError, True),
        (500, "InternalError", errors.UnavailableError, True),
        (503, "ServiceUnavailable", errors.UnavailableError, True),
        (504, "Timeout", errors.UnavailableError, True),
    ],
)
def test_codes(code: int, reason: str, kind: type[errors.ApiError], retryable: bool) -> None:
    response = refusal(code, reason, 'pods "p": no')
    error = error_of_response(response, response.content, where="GET /x")
    assert type(error) is kind
    assert (error.status, error.reason, error.retryable) == (code, reason, retryable)
    assert str(error) == 'pods "p": no'


def test_an_applied_object_that_is_not_of_its_type_is_no_failure_of_the_server() -> None:
    """Kubernetes answers 500 to it, and would to every further try."""
    message = (
        "failed to create typed patch object (default/iris; serving.kserve.io/v1beta1, "
        "Kind=InferenceService): .spec.predictor.minReplica: field not declared in schema"
    )
    error = error_of_status(500, {"code": 500, "message": message})
    assert type(error) is errors.RejectedError
    assert str(error) == message


def test_an_answer_without_a_status_is_quoted_with_the_request() -> None:
    response = httpx.Response(502, content=b"<html>bad gateway")
    error = error_of_response(response, response.content, where="GET /x")
    assert str(error) == "GET /x: the API answered 502 <html>bad gateway"


def test_how_long_to_wait() -> None:
    response = refusal(429, "TooManyRequests", retryAfterSeconds=7)
    error = error_of_response(response, response.content, where="")
    assert isinstance(error, errors.TooManyRequestsError)
    assert error.retry_after == 7.0
    response.headers["retry-after"] = "3"
    error = error_of_response(response, response.content, where="")
    assert isinstance(error, errors.TooManyRequestsError)
    assert error.retry_after == 3.0
    untold = error_of_status(429, {})
    assert isinstance(untold, errors.TooManyRequestsError)
    assert untold.retry_after == 1.0


def test_no_answer_can_be_retried_and_names_the_request() -> None:
    error = error_of_transport(httpx.ConnectError("refused"), where="GET /x", server="https://h:1")
    assert error.retryable
    assert str(error) == "GET /x: no answer from the API at https://h:1 (refused)"
