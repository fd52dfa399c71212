"""Rules about amounts of resources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rouse.errors import FieldError

__all__ = ["amount", "check_positive"]

_NUMBER = re.compile(r"[+-]?[0-9.]+")
_BINARY = {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}
_DECIMAL = {
    "n": Decimal(10) ** -9,
    "u": Decimal(10) ** -6,
    "m": Decimal(10) ** -3,
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
}


def amount(quantity: Any) -> Decimal:
    """Return a (valid) quantity as a number: ``1Gi`` is 1073741824, ``500m`` is 0.5."""
    text = str(quantity)
    for suffix, factor in (_BINARY | _DECIMAL).items():
        if text.endswith(suffix):
            return Decimal(text.removesuffix(suffix)) * factor
    return Decimal(text)


def check_positive(quantity: Any, path: str) -> Iterator[FieldError]:
    """Find a quantity that is zero or less; its form is checked by its type."""
    number = _NUMBER.match(str(quantity))
    if number is not None and Decimal(number[0]) <= 0:
        yield FieldError(path, f"{quantity} is no size; give more than 0, such as 2Gi")
