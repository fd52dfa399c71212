"""Numbers on a command line, refused in words."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

__all__ = ["number", "port", "whole"]


def whole(least: int) -> Callable[[str], int]:
    """What reads a whole number of `least` or more."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f'"{text}" is no whole number') from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return read


def number(text: str) -> float:
    """A number of zero or more, e.g. of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'"{text}" is no number')
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return value


def port(text: str) -> int:
    """A port; 0 is any or none."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f'"{text}" is not a port, a number from 0 to 65535')
    return int(text)
