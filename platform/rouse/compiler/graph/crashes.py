"""What the pods of a router say that Knative, or its Deployment, does not say yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rouse.api.base import Object
from rouse.api.inferencegraph.lifecycle import Reason
from rouse.api.inferenceservice.lifecycle import Finding
from rouse.compiler.pods import crash_of, latest_pods

__all__ = ["with_crash"]


def with_crash(ready: Finding, pods: Sequence[Object], labels: Mapping[str, str]) -> Finding:
    """Return RouterReady with the last words of the newest of the pods that have these labels.

    Of a container that ends again and again the others say nothing until a deadline of minutes.
    """
    crash = crash_of(latest_pods(pods, labels)) if ready.status == "Unknown" else None
    if crash is None:
        return ready
    return replace(ready, status="False", reason=Reason.ROUTER_FAILED, message=crash["message"])
