"""Recorded traces: JSON lines into typed values; what is wrong is said with line and field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import pydantic
from pydantic_core import ErrorDetails

from rouse.errors import InvalidError

__all__ = ["Trace", "read_lines"]


class Trace(pydantic.BaseModel):
    """A line of a trace file. Fields it does not know are refused, so that a typo is seen."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


_T = TypeVar("_T", bound=Trace)


def read_lines(lines: Iterable[str], kind: type[_T], source: str) -> Iterator[_T]:
    """Each line that is not blank as a trace. Raises `InvalidError` naming source and line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield kind.model_validate_json(line)
        except pydantic.ValidationError as error:
            found = "; ".join(_finding(one) for one in error.errors(include_url=False)[:5])
            raise InvalidError(f"{source}, line {number}: {found}") from None


def _finding(error: ErrorDetails) -> str:
    path = ".".join(str(part) for part in error["loc"])
    return f"{path}: {error['msg']}" if path else error["msg"]
