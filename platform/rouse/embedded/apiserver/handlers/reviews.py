"""Virtual resources: questions about the caller, who is always the administrator."""

from __future__ import annotations

from rouse.embedded.apiserver.decoding import decode
from rouse.embedded.apiserver.errors import Object, method_not_allowed
from rouse.embedded.apiserver.http import Request, Response, json_response
from rouse.embedded.apiserver.routes import Target

__all__ = ["review"]

_EVERYTHING = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
_ANY_PATH = {"verbs": ["*"], "nonResourceURLs": ["*"]}
_ANSWERS: dict[str, Object] = {
    "SelfSubjectAccessReview": {"allowed": True, "reason": "the token is the administrator's"},
    "SubjectAccessReview": {"allowed": True, "reason": "the embedded API has one user"},
    "SelfSubjectRulesReview": {
        "resourceRules": [_EVERYTHING],
        "nonResourceRules": [_ANY_PATH],
        "incomplete": False,
    },
    "SelfSubjectReview": {
        "userInfo": {
            "username": "rouse-admin",
            "groups": ["system:masters", "system:authenticated"],
        }
    },
}


def review(target: Target, request: Request) -> Response:
    """POST of a review; nothing is stored."""
    if request.method != "POST" or target.name:
        raise method_not_allowed("the server does not allow this method on the requested resource")
    obj = decode(request, target)
    obj["status"] = _ANSWERS[target.resource.kind]
    return json_response(obj, 201)
