"""``@custom_handler``: a method as an HTTP endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

__all__ = ["CustomHandler", "custom_handler"]

_F = TypeVar("_F", bound=Callable[..., Any])


class CustomHandler(NamedTuple):
    """Path and method of an endpoint."""

    rest_path: str
    rest_method: str = "POST"


def custom_handler(rest_path: str, rest_method: str = "POST") -> Callable[[_F], _F]:
    """Answer requests to that path by the method that is decorated."""

    def wrap(function: _F) -> _F:
        function.__custom_handler__ = CustomHandler(rest_path, rest_method)  # type: ignore[attr-defined]
        return function

    return wrap
