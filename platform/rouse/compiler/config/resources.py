"""What a container asks for, as settings say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

__all__ = ["CLOSED", "Resources"]

CLOSED = ConfigDict(extra="forbid", alias_generator=to_camel, coerce_numbers_to_str=True)
"""How structured settings are read: keys in camelCase, and no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a container asks for and may use, as quantities; empty: nothing is said."""

    __pydantic_config__ = CLOSED

    cpu_request: str = ""
    cpu_limit: str = ""
    memory_request: str = ""
    memory_limit: str = ""

    def to_object(self) -> dict[str, Any]:
        """Return the ``resources`` of a container; empty where nothing is said."""
        parts = {
            "requests": {"cpu": self.cpu_request, "memory": self.memory_request},
            "limits": {"cpu": self.cpu_limit, "memory": self.memory_limit},
        }
        given = {part: {k: v for k, v in of.items() if v} for part, of in parts.items()}
        return {part: of for part, of in given.items() if of}
