"""The mode that an object runs in."""

from __future__ import annotations

from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.modes import MODE_ANNOTATION, mode_of
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.observed import Observed
from rouse.compiler.owner import Owner

__all__ = ["kept_mode"]


def kept_mode(owner: Owner, config: Config, observed: Observed) -> str:
    """Return the mode: a live object keeps the one it has, whatever the default becomes."""
    before: str | None = observed.previous_status.get("deploymentMode")
    mode = mode_of(owner.annotations, before or config.default_deployment_mode)
    if mode is None or (before and mode != before):
        raise CompileError(
            Reason.INVALID_SPEC,
            f"metadata.annotations[{MODE_ANNOTATION}]: the mode of a live object cannot change "
            f"from {before} to {mode}; delete the {owner.kind} and create it again",
        )
    return mode
