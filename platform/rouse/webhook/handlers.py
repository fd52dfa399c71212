"""The four paths: bytes of an AdmissionReview in, bytes of its answer out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final, TypeAlias, TypeVar

from rouse.errors import ApiError, InvalidError
from rouse.webhook.envelope import (
    AdmissionRequest,
    Verdict,
    answer,
    denied,
    read_review,
    unsupported,
)
from rouse.webhook.facts import FactFinder
from rouse.webhook.metrics import Metrics
from rouse.webhook.reply import Reply
from rouse.webhook.review import (
    is_model_pod,
    review_default,
    review_pod,
    review_settings,
    review_validate,
)
from rouse.webhook.sources import Sources

__all__ = ["Handlers"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_LONGEST_S: Final = 9.0
"""Below the 10 s of the webhook configuration, so that the reason arrives."""
_LARGE: Final = 65_536
"""Bytes above which a review leaves the event loop: probes and others go on meanwhile."""

_Review: TypeAlias = Callable[[AdmissionRequest], Verdict]

_PODS: Final = "mutate-pods"
_SETTINGS: Final = "validate-settings"
_VALIDATE: Final = "validate"
_WEBHOOKS: Final = (_VALIDATE, "mutate", _PODS, _SETTINGS)


class Handlers:
    """Answers calls. Nothing is written anywhere, so that dry runs need no care."""

    def __init__(self, sources: Sources, finder: FactFinder, metrics: Metrics) -> None:
        self._sources = sources
        self._finder = finder
        self._metrics = metrics

    async def handle(self, path: str, body: bytes) -> Reply:
        """Answer one call; an HTTP error only for what is no AdmissionReview, or a fault here."""
        webhook = path.removeprefix("/")
        if webhook not in _WEBHOOKS:
            known = ", ".join(f"/{each}" for each in _WEBHOOKS)
            return self._error(HTTPStatus.NOT_FOUND, f"no such path; there are {known}")
        clock = asyncio.get_running_loop().time
        began = clock()
        where = "an AdmissionReview"
        try:
            async with asyncio.timeout(_LONGEST_S):
                request = await _away(body, lambda: read_review(body))
                where = f"{request.kind} {request.namespace}/{request.name}, uid {request.uid}"
                verdict = unsupported(request) or await self._review(webhook, request, body)
            reply = Reply(answer(request, verdict))
        except InvalidError as error:
            return self._error(HTTPStatus.BAD_REQUEST, str(error))
        except TimeoutError:
            message = f"no answer within {_LONGEST_S:g} s for {where}: try again"
            return self._error(HTTPStatus.GATEWAY_TIMEOUT, message)
        except Exception:
            logger.exception("%s failed for %s", path, where)
            message = f"the review of {where} failed: the webhook's log says why"
            return self._error(HTTPStatus.INTERNAL_SERVER_ERROR, message)
        self._metrics.reviewed(webhook, request.operation, verdict.allowed, clock() - began)
        if verdict.status is not None:
            logger.info("%s denied %s: %s", path, where, verdict.status["message"])
        return reply

    async def _review(self, webhook: str, request: AdmissionRequest, body: bytes) -> Verdict:
        if webhook == _PODS:
            return await self._pod(request)
        if webhook == _SETTINGS:
            kserve = self._sources.kserve_config
            return await _away(body, lambda: review_settings(request, kserve=kserve))
        mode = self._sources.default_mode
        rules: _Review = partial(review_default, default_mode=mode)
        if webhook == _VALIDATE:
            containers = self._sources.storage_containers
            rules = partial(review_validate, default_mode=mode, storage_containers=containers)
        return await _away(body, lambda: rules(request))

    async def _pod(self, request: AdmissionRequest) -> Verdict:
        if not is_model_pod(request):
            return Verdict()
        config = self._sources.config
        try:
            verdict, warnings = await self._finder.settle(
                request.namespace,
                self._sources.storage_containers,
                lambda facts: review_pod(request, config=config, facts=facts),
            )
        except ApiError as error:
            message = f"the credentials of the pod cannot be read, try again: {error}"
            return denied(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
        return verdict.warned(*warnings)

    def _error(self, code: HTTPStatus, message: str) -> Reply:
        self._metrics.failed(code)
        return Reply(f"{message}\n".encode(), code, "text/plain; charset=utf-8")


async def _away(body: bytes, work: Callable[[], T]) -> T:
    """Do what takes long, as its input is large, outside the event loop."""
    return await asyncio.to_thread(work) if len(body) > _LARGE else work()
