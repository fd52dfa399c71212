"""The annotations of an InferenceService that steer how requests reach it, and their rules."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rouse.api.base import Strings
from rouse.api.inferenceservice.types import InferenceService
from rouse.errors import FieldError

__all__ = [
    "CANARY_COOKIE",
    "CANARY_HEADER",
    "MIRROR_PERCENT",
    "STEERING",
    "STOP",
    "TAG_ROUTING",
    "VISIBILITY",
    "check_annotations",
    "parse_override",
]

CANARY_HEADER = "rouse.dev/canary-header"
"""``name[=value]``: requests with that header go to the canary whatever its percent."""
CANARY_COOKIE = "rouse.dev/canary-cookie"
"""``name[=value]``: the same for a cookie."""
MIRROR_PERCENT = "rouse.dev/mirror-percent"
"""The canary gets a copy of that many percent of the requests; its answers are thrown away."""
STOP = "serving.kserve.io/stop"
TAG_ROUTING = "serving.kserve.io/enable-tag-routing"
VISIBILITY = "networking.kserve.io/visibility"

STEERING = frozenset({CANARY_COOKIE, CANARY_HEADER, MIRROR_PERCENT, STOP, TAG_ROUTING, VISIBILITY})
"""None of them says anything about pods."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_COOKIE_VALUE = re.compile(r"[^\s;,\"\\]*")
_BOOLEANS = ("true", "false")


def parse_override(text: str) -> tuple[str, str | None]:
    """Read ``name[=value]``; the value is None where any will do."""
    name, equals, value = text.strip().partition("=")
    return name.strip(), value.strip() if equals else None


def check_annotations(isvc: InferenceService) -> Iterator[FieldError]:
    """Find values that would be misunderstood."""
    annotations = isvc.annotations
    yield from _overrides(annotations)
    yield from _mirror(isvc)
    for name in (STOP, TAG_ROUTING):
        value = annotations.get(name)
        if value is not None and value.lower() not in _BOOLEANS:
            yield _error(name, f'"{value}" is neither true nor false')
    visibility = annotations.get(VISIBILITY)
    if visibility not in (None, "cluster-local", "external"):
        yield _error(
            VISIBILITY,
            f'"{visibility}" is unknown; allowed: cluster-local, or no such annotation',
        )


def _overrides(annotations: Strings) -> Iterator[FieldError]:
    for annotation in (CANARY_HEADER, CANARY_COOKIE):
        text = annotations.get(annotation)
        if text is None:
            continue
        name, value = parse_override(text)
        if _TOKEN.fullmatch(name) is None:
            yield _error(annotation, f'"{text}" has no valid name; write <name> or <name>=<value>')
        elif annotation == CANARY_COOKIE and value and _COOKIE_VALUE.fullmatch(value) is None:
            yield _error(annotation, f'"{value}" cannot be the value of a cookie')


def _mirror(isvc: InferenceService) -> Iterator[FieldError]:
    text = isvc.annotations.get(MIRROR_PERCENT)
    if text is None:
        return
    if not text.isdecimal() or not text.isascii() or int(text) > 100:
        yield _error(MIRROR_PERCENT, f'"{text}" is no percent; write a whole number, 0 to 100')
    elif isvc.spec.transformer is not None:
        yield _error(
            MIRROR_PERCENT,
            "cannot be used beside spec.transformer: both transformers would call the same "
            "predictor; remove one of them",
        )
    elif isvc.spec.predictor.min_replicas == 0:
        # A copy carries the headers of its original, by which the activator would find the
        # revision that answers, not the one that gets the copy.
        yield FieldError(
            "spec.predictor.minReplicas",
            f"0 does not go with {MIRROR_PERCENT}: copies do not wake a revision; use at least 1",
        )


def _error(annotation: str, message: str) -> FieldError:
    return FieldError(f"metadata.annotations[{annotation}]", message)
