"""The three webhooks as pure functions: a request and what is known -> a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from rouse.api.admission import KINDS, review
from rouse.api.advice import advise
from rouse.api.base import Object
from rouse.api.inferenceservice.modes import KNATIVE
from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, KSERVE_CONFIG_MAP, Config
from rouse.compiler.config.in_force import judge
from rouse.compiler.podwebhook import concerns, diff, mutate
from rouse.compiler.storage.facts import NO_FACTS, Facts
from rouse.compiler.storage.known import find_unknown_schemes
from rouse.errors import ConfigError, FieldError, InvalidError, ValidationError
from rouse.webhook.envelope import AdmissionRequest, Verdict, denied, invalid
from rouse.webhook.podshape import misshapen

__all__ = [
    "is_model_pod",
    "review_default",
    "review_pod",
    "review_settings",
    "review_validate",
]

_GROUP: Final = "serving.kserve.io"
_SERVICE: Final = "InferenceService"

_SETTINGS: Final = ((CONFIG_NAMESPACE, CONFIG_MAP), ("kserve", KSERVE_CONFIG_MAP))

_WRITES: Final = ("CREATE", "UPDATE")
_ALLOWED: Final = Verdict()


def review_validate(
    request: AdmissionRequest,
    *,
    default_mode: str = KNATIVE,
    storage_containers: Sequence[Object] = (),
) -> Verdict:
    """Say whether an object may be stored; a refusal lists every finding.

    ``default_mode`` is the installation's mode of InferenceServices that name none,
    ``storage_containers`` its ClusterStorageContainers.
    """
    obj = request.object
    if obj is None or request.operation not in _WRITES or request.subresource:
        return _ALLOWED
    if not _is_ours(request):
        return _ALLOWED.warned(_unknown(request))
    try:
        whole = review({**obj, "kind": request.kind}, request.old, default_mode=default_mode)
        if request.kind == _SERVICE:
            unknown = find_unknown_schemes(whole, request.old, storage_containers)
            if unknown:
                raise ValidationError(_SERVICE, request.name, unknown)
    except ValidationError as error:
        return invalid(request, str(error), error.errors)
    return _ALLOWED.warned(*advise(obj))


def review_default(request: AdmissionRequest, *, default_mode: str = KNATIVE) -> Verdict:
    """Return the patch that fills in what has to be stored; what is wrong is left to `validate`.

    Defaults are applied when an object is read (see `rouse.api.inferenceservice.defaults`), so that
    the patch is empty for all that the rules take as it is.
    """
    obj = request.object
    if obj is None or request.operation not in _WRITES or request.subresource:
        return _ALLOWED
    if not _is_ours(request):
        return _ALLOWED.warned(_unknown(request))
    try:
        stored = review(obj, request.old, default_mode=default_mode)
    except ValidationError:
        return _ALLOWED
    return Verdict(patch=diff(obj, stored))


def is_model_pod(request: AdmissionRequest) -> bool:
    """Whether the request is the creation of a pod that asks for a change."""
    pod = request.object
    is_pod = request.group == "" and request.resource == "pods" and not request.subresource
    if pod is None or not is_pod or request.operation != "CREATE":
        return False
    metadata = pod.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return isinstance(annotations, dict) and concerns({"metadata": {"annotations": annotations}})


def review_pod(request: AdmissionRequest, *, config: Config, facts: Facts = NO_FACTS) -> Verdict:
    """Return the patch that brings models and sidecars to a new pod; any other pod passes.

    ``facts`` are those of its namespace. Where ``config`` does not know a setting that this pod
    needs, the pod is refused for now: it would run with another image, or without credentials.
    """
    pod = request.object
    if pod is None or not is_model_pod(request):
        return _ALLOWED
    findings = misshapen(pod)
    if findings:
        listed = "; ".join(str(each) for each in findings)
        return invalid(request, f"the pod cannot be completed: {listed}", findings)
    # A pod of a template does not say its namespace yet; the request does.
    placed = {**pod, "metadata": {**pod["metadata"], "namespace": request.namespace}}
    try:
        changes = diff(placed, mutate(placed, config=config, facts=facts))
    except ConfigError as error:
        message = f"the pod cannot be completed: {error}"
        return denied(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    except InvalidError as error:
        return invalid(request, str(error))
    except RecursionError:
        return invalid(request, "the pod cannot be completed: it is nested too deeply")
    return Verdict(patch=changes)


def review_settings(request: AdmissionRequest, *, kserve: Object | None = None) -> Verdict:
    """Say whether the installation's settings may be written so; any other ConfigMap passes.

    ``kserve`` is the ConfigMap of KServe that is there. What was wrong before is a warning only, so
    that it can be repaired bit by bit.
    """
    obj = request.object
    is_written = request.operation in _WRITES and request.resource == "configmaps"
    is_read = (request.namespace, request.name) in _SETTINGS
    if obj is None or not (is_written and is_read) or request.subresource or request.group:
        return _ALLOWED
    judged = judge(request.name, obj, request.old, kserve)
    if judged.refusal:
        found = [FieldError(f"data.{each.path}", each.message) for each in judged.findings]
        return invalid(request, judged.refusal, found)
    return _ALLOWED.warned(judged.warning) if judged.warning else _ALLOWED


def _is_ours(request: AdmissionRequest) -> bool:
    return request.group == _GROUP and request.kind in KINDS


def _unknown(request: AdmissionRequest) -> str:
    kind = f"{request.kind}.{request.group}" if request.group else request.kind
    return f"{kind} is allowed unseen: this webhook has no rules for it"
