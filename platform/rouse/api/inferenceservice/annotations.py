"""The annotations of an InferenceService that steer how requests reach it, and their rules."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rouse.api.base import Strings
from rouse.api.inferenceservice.logger import duration_s
from rouse.api.inferenceservice.schedule import parse_schedule
from rouse.api.inferenceservice.types import InferenceService
from rouse.errors import FieldError

__all__ = [
    "API_KEYS",
    "AUTH",
    "CANARY_COOKIE",
    "CANARY_HEADER",
    "COLD_START_BUDGET",
    "KEEP_ALIVE",
    "LOGGER_SAMPLE",
    "MIRROR_PERCENT",
    "STEERING",
    "STOP",
    "TAG_ROUTING",
    "TWIN",
    "VISIBILITY",
    "WAKE_SCHEDULE",
    "check_annotations",
    "check_shared",
    "parse_auth",
    "parse_budget",
    "parse_override",
    "parse_sample",
]

API_KEYS = "rouse.dev/api-keys"
"""The Secret of the keys that open this InferenceService; asks for ``api-key`` by itself."""
AUTH = "rouse.dev/auth"
"""``jwt``: who calls through the gateway needs a token; ``api-key``: a key; both: one of the two.
``none``: neither."""
CANARY_HEADER = "rouse.dev/canary-header"
"""``name[=value]``: requests with that header go to the canary whatever its percent."""
CANARY_COOKIE = "rouse.dev/canary-cookie"
"""``name[=value]``: the same for a cookie."""
COLD_START_BUDGET = "rouse.dev/coldstart-budget"
"""How long a wake-up may take at the 95th percentile: a duration such as 500ms or 2s."""
KEEP_ALIVE = "rouse.dev/keep-alive"
"""``auto``: kept awake and woken ahead as its own history tells; ``off``: not."""
LOGGER_SAMPLE = "rouse.dev/logger-sample"
"""The part of the requests that loggers log, 0 to 1; servers that are not Rouse's log all."""
MIRROR_PERCENT = "rouse.dev/mirror-percent"
"""The canary gets a copy of that many percent of the requests; its answers are thrown away."""
STOP = "serving.kserve.io/stop"
TAG_ROUTING = "serving.kserve.io/enable-tag-routing"
TWIN = "rouse.dev/twin"
"""``auto``: a translation of the model that needs no framework serves it where it agrees with the
original; ``off``: the original does; ``require``: without such a twin the model is not served."""
VISIBILITY = "networking.kserve.io/visibility"
WAKE_SCHEDULE = "rouse.dev/wake-schedule"
"""When it is to be awake: lines such as ``0 8 * * mon-fri for 10h in Europe/Berlin``."""

STEERING = frozenset(
    {
        AUTH,
        CANARY_COOKIE,
        CANARY_HEADER,
        COLD_START_BUDGET,
        KEEP_ALIVE,
        MIRROR_PERCENT,
        STOP,
        TAG_ROUTING,
        VISIBILITY,
        WAKE_SCHEDULE,
    }
)
"""None of them says anything about pods."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_COOKIE_VALUE = re.compile(r"[^\s;,\"\\]*")
_BOOLEANS = ("true", "false")
_TWINS = ("auto", "off", "require")
_KEEP_ALIVES = ("auto", "off")
_METHODS = ("api-key", "jwt", "none")
_SECRET = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MOST_SECRET = 253
_SAMPLE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,12})?|\.[0-9]{1,12}")


def parse_override(text: str) -> tuple[str, str | None]:
    """Read ``name[=value]``; the value is None where any will do."""
    name, equals, value = text.strip().partition("=")
    return name.strip(), value.strip() if equals else None


def parse_auth(text: str) -> tuple[str, ...]:
    """Read the methods of `AUTH`, separated by commas or as a JSON list."""
    bare = text.strip().removeprefix("[").removesuffix("]")
    return tuple(part.strip().strip('"') for part in bare.split(","))


def parse_budget(text: str) -> float | None:
    """Read `COLD_START_BUDGET` in seconds; None for what is no duration above zero."""
    return duration_s(text.strip()) or None


def parse_sample(text: str) -> float | None:
    """Read `LOGGER_SAMPLE`; None for what is no number from 0 to 1."""
    if _SAMPLE.fullmatch(text.strip()) is None:
        return None
    value = float(text)
    return value if value <= 1 else None


def check_annotations(isvc: InferenceService) -> Iterator[FieldError]:
    """Find values that would be misunderstood."""
    annotations = isvc.annotations
    yield from _overrides(annotations)
    yield from _mirror(isvc)
    yield from check_shared(annotations)
    yield from _budget(annotations)
    yield from _waking(annotations)
    sample = annotations.get(LOGGER_SAMPLE)
    if sample is not None and parse_sample(sample) is None:
        yield _error(
            LOGGER_SAMPLE, f'"{sample}" is no part of the requests; write a number from 0 to 1'
        )
    yield from _boolean(annotations, TAG_ROUTING)
    twin = annotations.get(TWIN)
    if twin is not None and twin not in _TWINS:
        yield _error(TWIN, f'"{twin}" is unknown; allowed: {", ".join(_TWINS)}')


def check_shared(annotations: Strings) -> Iterator[FieldError]:
    """Find such values among the annotations that graphs have too."""
    yield from _auth(annotations)
    yield from _boolean(annotations, STOP)
    visibility = annotations.get(VISIBILITY)
    if visibility not in (None, "cluster-local", "external"):
        yield _error(
            VISIBILITY,
            f'"{visibility}" is unknown; allowed: cluster-local, or no such annotation',
        )


def _boolean(annotations: Strings, name: str) -> Iterator[FieldError]:
    value = annotations.get(name)
    if value is not None and value.lower() not in _BOOLEANS:
        yield _error(name, f'"{value}" is neither true nor false')


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


def _auth(annotations: Strings) -> Iterator[FieldError]:
    text = annotations.get(AUTH)
    methods = parse_auth(text) if text is not None else ()
    for method in methods:
        if method not in _METHODS:
            yield _error(AUTH, f'"{method}" is unknown; allowed: {", ".join(_METHODS)}')
    if "none" in methods and len(methods) > 1:
        yield _error(AUTH, "none does not go with another method; remove one of them")
    secret = annotations.get(API_KEYS)
    if secret is None:
        return
    if len(secret) > _MOST_SECRET or _SECRET.fullmatch(secret) is None:
        yield _error(API_KEYS, f'"{secret}" cannot be the name of a Secret')
    if methods and "api-key" not in methods:
        yield _error(API_KEYS, f"needs api-key in {AUTH}, or no such annotation")


def _budget(annotations: Strings) -> Iterator[FieldError]:
    text = annotations.get(COLD_START_BUDGET)
    if text is not None and parse_budget(text) is None:
        yield _error(
            COLD_START_BUDGET, f'"{text}" is no duration above zero; write 500ms, 2s or 1m30s'
        )


def _waking(annotations: Strings) -> Iterator[FieldError]:
    keep = annotations.get(KEEP_ALIVE)
    if keep is not None and keep not in _KEEP_ALIVES:
        yield _error(KEEP_ALIVE, f'"{keep}" is unknown; allowed: {", ".join(_KEEP_ALIVES)}')
    schedule = annotations.get(WAKE_SCHEDULE)
    if schedule is not None:
        try:
            parse_schedule(schedule)
        except ValueError as error:
            yield _error(WAKE_SCHEDULE, str(error))


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
