"""What a rule does besides choosing a destination: retries, faults, CORS, mirrors."""

from __future__ import annotations

from typing import Any, Final

from rouse.embedded.mesh.translate.envoy import duration, seconds_of, typed
from rouse.embedded.mesh.translate.problems import InvalidFieldError
from rouse.embedded.mesh.translate.strings import string_matcher
from rouse.kube.objects import Object

__all__ = ["cors_filter", "fault_filter", "fraction", "retry_policy"]

DEFAULT_ATTEMPTS: Final = 2
_BEFORE_SENT: Final = "connect-failure,refused-stream,reset-before-request"
"""Failures that prove the replica never saw the request: safe to repeat whatever it does."""

_PREVIOUS_HOSTS: Final = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
}


def retry_policy(retries: Any, path: str) -> Object | None:
    """Translate HTTPRetry; without one, repeat only what no replica has seen."""
    if retries is None:
        retries = {}
    attempts = retries.get("attempts", DEFAULT_ATTEMPTS)
    if not isinstance(attempts, int) or attempts < 0:
        raise InvalidFieldError(f"{path}.attempts", "must be a number of 0 or more")
    if attempts == 0:
        return None
    conditions, codes = [], []
    for word in str(retries.get("retryOn") or _BEFORE_SENT).split(","):
        if word.strip().isdigit():
            codes.append(int(word))
        elif word.strip():
            conditions.append(word.strip())
    if codes and "retriable-status-codes" not in conditions:
        conditions.append("retriable-status-codes")
    policy: Object = {
        "retry_on": ",".join(conditions),
        "num_retries": attempts,
        "retry_host_predicate": [_PREVIOUS_HOSTS],
        "host_selection_retry_max_attempts": "3",
    }
    if codes:
        policy["retriable_status_codes"] = codes
    if retries.get("perTryTimeout"):
        seconds = seconds_of(retries["perTryTimeout"], f"{path}.perTryTimeout")
        policy["per_try_timeout"] = duration(seconds)
    return policy


def fraction(percentage: Any, path: str, *, default: float = 100.0) -> Object:
    """Translate ``{value: 12.5}`` (percent) into parts of a million."""
    value = default if percentage is None else percentage.get("value", 0)
    if not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise InvalidFieldError(f"{path}.value", "must be a percentage from 0 to 100")
    return {"numerator": round(value * 10_000), "denominator": "MILLION"}


def fault_filter(fault: Any, path: str) -> Object | None:
    """Translate HTTPFaultInjection into the fault filter's configuration of a route."""
    if not fault:
        return None
    config: Object = {}
    if delay := fault.get("delay"):
        at = f"{path}.delay"
        config["delay"] = {
            "fixed_delay": duration(seconds_of(delay.get("fixedDelay"), f"{at}.fixedDelay")),
            "percentage": fraction(delay.get("percentage"), f"{at}.percentage"),
        }
    if abort := fault.get("abort"):
        at = f"{path}.abort"
        status = abort.get("httpStatus")
        if not isinstance(status, int) or not 200 <= status < 600:
            raise InvalidFieldError(f"{at}.httpStatus", "must be a status from 200 to 599")
        config["abort"] = {
            "http_status": status,
            "percentage": fraction(abort.get("percentage"), f"{at}.percentage"),
        }
    if not config:
        raise InvalidFieldError(path, "needs delay or abort")
    return typed("envoy.extensions.filters.http.fault.v3.HTTPFault", config)


def cors_filter(policy: Any, path: str) -> Object | None:
    """Translate CorsPolicy into the CORS filter's configuration of a route."""
    if not policy:
        return None
    origins = []
    for i, origin in enumerate(policy.get("allowOrigins") or ()):
        matcher = string_matcher(origin, f"{path}.allowOrigins[{i}]")
        if matcher is None:
            raise InvalidFieldError(f"{path}.allowOrigins[{i}]", "needs exact, prefix or regex")
        origins.append(matcher)
    if not origins:
        raise InvalidFieldError(f"{path}.allowOrigins", "must name at least one origin")
    config: Object = {"allow_origin_string_match": origins}
    for field, name in (
        ("allowMethods", "allow_methods"),
        ("allowHeaders", "allow_headers"),
        ("exposeHeaders", "expose_headers"),
    ):
        if policy.get(field):
            config[name] = ",".join(policy[field])
    if policy.get("maxAge"):
        config["max_age"] = str(int(seconds_of(policy["maxAge"], f"{path}.maxAge")))
    if policy.get("allowCredentials") is not None:
        config["allow_credentials"] = bool(policy["allowCredentials"])
    return typed("envoy.extensions.filters.http.cors.v3.CorsPolicy", config)
