"""Reading the conditions of an InferenceService."""

from __future__ import annotations

from rouse.errors import RouseError
from rouse.kube.objects import Object

__all__ = ["NotReadyError", "explain", "find_condition", "is_ready"]


class NotReadyError(RouseError):
    """A service or graph did not become Ready in time; the message carries its conditions."""

    retryable = True

    def __init__(
        self,
        name: str,
        namespace: str,
        isvc: Object | None,
        timeout_s: float,
        *,
        kind: str = "InferenceService",
    ) -> None:
        self.isvc = isvc
        why = explain(isvc) if isvc is not None else "it does not exist"
        super().__init__(f"{kind} {namespace}/{name} was not Ready after {timeout_s:g} s: {why}")


def find_condition(isvc: Object, kind: str) -> Object | None:
    """The condition of that type, if the status has it."""
    for condition in isvc.get("status", {}).get("conditions", []):
        if condition.get("type") == kind:
            found: Object = condition
            return found
    return None


def is_ready(isvc: Object) -> bool:
    """Whether the newest spec (not an earlier one) is Ready, as `kubectl wait` cannot tell."""
    status = isvc.get("status", {})
    ready = find_condition(isvc, "Ready")
    latest = find_condition(isvc, "LatestDeploymentReady")
    return (
        status.get("observedGeneration") == isvc["metadata"].get("generation")
        and ready is not None
        and ready.get("status") == "True"
        and (latest is None or latest.get("status") == "True")
    )


def explain(isvc: Object) -> str:
    """The conditions that are not True, with reasons; says so when nothing was reported yet.

    Ready comes first. A condition that only repeats the message of one before is left out.
    """
    conditions = isvc.get("status", {}).get("conditions", [])
    if not conditions:
        return "no controller has reported on it yet"
    messages: list[str] = []
    told = []
    for condition in sorted(conditions, key=lambda one: bool(one["type"] != "Ready")):
        message = condition.get("message", "")
        if condition.get("status") == "True" or condition["type"] == "Stopped":
            continue
        if any(before in message for before in messages):
            continue
        reason = f" ({condition['reason']})" if condition.get("reason") else ""
        told.append(f"{condition['type']}={condition['status']}{reason}")
        if message:
            messages.append(message)
            told[-1] += f": {message}"
    return "; ".join(told) or "its newest spec has not been observed yet"
