"""How a download behaves; each number can be set by a variable of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from predictors.serving.errors import StorageError

__all__ = ["TransferSettings", "peer_settings"]

_PREFIX = "ROUSE_STORAGE_"


@dataclass(frozen=True, slots=True)
class TransferSettings:
    """A field is set by ROUSE_STORAGE_<FIELD>, such as ROUSE_STORAGE_STALL_SECONDS."""

    connections: int = 8
    """Downloads at the same time."""
    part_bytes: int = 16 * 1024 * 1024
    """How much one request asks for; up to four times as much where a file has many of them."""
    stall_seconds: float = 30.0
    """A connection that brought no byte for so long is given up."""
    attempts: int = 5
    """Tries of one part, the first included."""
    backoff_seconds: float = 0.5
    """The wait before the second try; it doubles with every further one, with jitter."""
    lock_seconds: float = 3600.0
    """How long to wait for another process that fetches the same model into the same cache."""
    unpacked_bytes: int = 0
    """The most that an archive may unpack to; 0: 200 times its own size, and 1 GiB at least."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> TransferSettings:
        """Read the variables; raises `StorageError` naming one that is no positive number."""
        given: dict[str, float] = {}
        for field in fields(cls):
            name = _PREFIX + field.name.upper()
            text = env.get(name)
            if not text:
                continue
            kind = type(getattr(cls(), field.name))
            try:
                given[field.name] = kind(text)
            except ValueError:
                given[field.name] = -1
            if not 0 < given[field.name] < float("inf"):
                raise StorageError(f"{name} is {text!r}; it takes a number above 0.")
        return cls(**given)  # type: ignore[arg-type]


def peer_settings(settings: TransferSettings) -> TransferSettings:
    """How a peer is asked: there is an origin behind it, so it is given up soon."""
    return replace(settings, attempts=1, stall_seconds=min(settings.stall_seconds, 5.0))
