"""The refusal of an apply that would change fields of others."""

from __future__ import annotations

from collections.abc import Sequence

from rouse.errors import ConflictError

__all__ = ["ApplyConflictError"]


class ApplyConflictError(ConflictError):
    """An apply changes fields that others own; with force it would take them.

    ``conflicts`` holds (manager as the message names it, path of the field) each; ``causes`` is
    the same in the form of a ``Status``, by which kubectl tells this conflict from others.
    """

    retryable = False

    def __init__(self, conflicts: Sequence[tuple[str, str]]) -> None:
        super().__init__(_message(conflicts), status=409, reason="Conflict")
        self.conflicts = list(conflicts)

    @property
    def causes(self) -> list[dict[str, str]]:
        """``details.causes`` of the Status."""
        return [
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {manager}",
                "field": path,
            }
            for manager, path in self.conflicts
        ]


def _message(conflicts: Sequence[tuple[str, str]]) -> str:
    if len(conflicts) == 1:
        manager, path = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {manager}: {path}"
    lines: list[str] = []
    for manager in sorted({manager for manager, _ in conflicts}):
        lines.append(f"conflicts with {manager}:")
        lines += [f"- {path}" for owner, path in conflicts if owner == manager]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
