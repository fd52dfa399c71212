"""Rules about amounts of resources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rouse.errors import FieldError

__all__ = ["check_positive"]

_NUMBER = re.compile(r"[+-]?[0-9.]+")


def check_positive(quantity: Any, path: str) -> Iterator[FieldError]:
    """Find a quantity that is zero or less; its form is checked by its type."""
    number = _NUMBER.match(str(quantity))
    if number is not None and Decimal(number[0]) <= 0:
        yield FieldError(path, f"{quantity} is no size; give more than 0, such as 2Gi")
