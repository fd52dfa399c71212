"""The three webhooks as pure functions: a request and what is known -> a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from rouse.api.admission import KINDS, review
from rouse.api.base import Object
from rouse.api.inferenceservice.modes import KNATIVE
from rouse.compiler.config import Config
from rouse.compiler.podwebhook import concerns, diff, mutate
from rouse.compiler.storage.facts import NO_FACTS, Facts
from rouse.compiler.storage.known import find_unknown_schemes
from rouse.errors import ConfigError, InvalidError, ValidationError
from rouse.webhook.deprecations import deprecations
from rouse.webhook.envelope import AdmissionRequest, Verdict, denied, invalid
from rouse.webhook.podshape import misshapen

__all__ = ["is_model_pod", "review_default", "review_pod", "review_validate"]

_GROUP: Final = "serving.kserve.io"
_SERVICE: Final = "InferenceService"

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
    return _ALLOWED.warned(*deprecations(obj))


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


def review_pod(
    request: AdmissionRequest, *, config: Config | ConfigError, facts: Facts = NO_FACTS
) -> Verdict:
    """Return the patch that brings models and sidecars to a new pod; any other pod passes.

    ``facts`` are those of its namespace; ``config`` is an error where the settings cannot be used.
    """
    pod = request.object
    if pod is None or not is_model_pod(request):
        return _ALLOWED
    findings = misshapen(pod)
    if findings:
        listed = "; ".join(str(each) for each in findings)
        return invalid(request, f"the pod cannot be completed: {listed}", findings)
    if isinstance(config, ConfigError):
        message = f"the pod cannot be completed: {config}"
        return denied(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
    # A pod of a template does not say its namespace yet; the request does.
    placed = {**pod, "metadata": {**pod["metadata"], "namespace": request.namespace}}
    try:
        changes = diff(placed, mutate(placed, config=config, facts=facts))
    except InvalidError as error:
        return invalid(request, str(error))
    except RecursionError:
        return invalid(request, "the pod cannot be completed: it is nested too deeply")
    return Verdict(patch=changes)


def _is_ours(request: AdmissionRequest) -> bool:
    return request.group == _GROUP and request.kind in KINDS


def _unknown(request: AdmissionRequest) -> str:
    kind = f"{request.kind}.{request.group}" if request.group else request.kind
    return f"{kind} is allowed unseen: this webhook has no rules for it"
