"""Why a model does not serve, in KServe's words: status.modelStatus.lastFailureInfo.

A process that ended, its own or that of the storage initializer, means ModelLoadFailed. What kept
a replica from running at all, or from being ready, means RuntimeUnhealthy: an image that cannot be
pulled, no node with room, a probe that never succeeds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import Reason

__all__ = ["failure_info"]

_EXIT = re.compile(r"ExitCode(\d+)")
"""Knative's reason of a revision whose container ended."""
_LOADING = frozenset({"CrashLoopBackOff", "Error", "OOMKilled", Reason.MODEL_LOAD_FAILED})


def failure_info(failed: Mapping[str, Any], *, location: str, revision: str = "") -> Object:
    """Return lastFailureInfo from the condition of what failed; it may have an ``exitCode``.

    ``location`` is the object that failed, ``revision`` the revision of the model where there are
    revisions. The time is the condition's, and absent where it has none.
    """
    reason = str(failed.get("reason") or "")
    ended = _EXIT.fullmatch(reason)
    loading = ended is not None or reason in _LOADING
    info: Object = {
        "reason": Reason.MODEL_LOAD_FAILED if loading else Reason.RUNTIME_UNHEALTHY,
        "message": failed.get("message") or reason,
        "location": location,
    }
    if revision:
        info["modelRevisionName"] = revision
    if ended is not None:
        info["exitCode"] = int(ended[1])
    elif failed.get("exitCode") is not None:
        info["exitCode"] = failed["exitCode"]
    if failed.get("lastTransitionTime"):
        info["time"] = failed["lastTransitionTime"]
    return info
