"""The budget of standby pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import InvalidOperation

from pydantic import ConfigDict

from rouse.api.quantities import amount
from rouse.errors import FieldError

__all__ = ["Standby", "standby_rules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """Pods of one runtime that wait without a model, in the whole cluster."""

    __pydantic_config__ = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    count: int = 0
    memory: str = ""
    """What they may request together, such as ``8Gi``; empty: as much as they do."""

    @property
    def memory_bytes(self) -> int | None:
        """The memory in bytes; None where nothing is said."""
        return int(amount(self.memory)) if self.memory else None


def standby_rules(standby: Mapping[str, Standby]) -> Iterator[FieldError]:
    """Find budgets that mean nothing."""
    for runtime, each in standby.items():
        if each.count < 0:
            yield FieldError(f"standby.{runtime}.count", f"must be 0 or more, not {each.count}")
        try:
            usable = each.memory_bytes is None or each.memory_bytes > 0
        except InvalidOperation:
            usable = False
        if not usable:
            yield FieldError(
                f"standby.{runtime}.memory", f'"{each.memory}" is no size; write it as in 8Gi'
            )
