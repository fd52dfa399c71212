"""What is wrong with an object, as the mesh sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rouse.errors import InvalidError
from rouse.kube.objects import Key

__all__ = [
    "CONFLICTING_HOST",
    "INVALID",
    "UNKNOWN_GATEWAY",
    "UNKNOWN_SERVICE",
    "UNSUPPORTED",
    "Finding",
    "InvalidFieldError",
]

CONFLICTING_HOST: Final = "ConflictingHost"
INVALID: Final = "InvalidConfiguration"
UNKNOWN_GATEWAY: Final = "UnknownGateway"
UNKNOWN_SERVICE: Final = "UnknownService"
UNSUPPORTED: Final = "Unsupported"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of one object; the rest of the configuration is not affected by it."""

    kind: str
    key: Key
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.message}"


class InvalidFieldError(InvalidError):
    """A field cannot be translated; ``path`` is relative to the object."""

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        super().__init__(f"{path}: {message}")
