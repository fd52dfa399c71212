"""Fields of request bodies, checked one by one; what is wrong is told with the field's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from predictors.openai.errors import FieldError

__all__ = ["Fields", "are_tokens"]

_MOST_STOPS: Final = 16


class Fields:
    """A body's fields; null is as good as absent."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def get(self, name: str) -> Any:
        """The value, or None."""
        return self._body.get(name)

    def text(self, name: str, default: str | None = None) -> str:
        """A string; required where there is no default."""
        value = self._body.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise FieldError(name, f"a string is expected, got {_kind(value)}.")
        return value

    def flag(self, name: str) -> bool:
        """True or false, false where absent."""
        value = self._body.get(name)
        if value is not None and not isinstance(value, bool):
            raise FieldError(name, f"true or false is expected, got {_kind(value)}.")
        return bool(value)

    def whole(self, name: str, least: int | None = None, most: int | None = None) -> int | None:
        """A whole number within bounds; None where absent."""
        value = self._body.get(name)
        if value is None:
            return None
        if type(value) is not int:
            raise FieldError(name, f"a whole number is expected, got {_kind(value)}.")
        if (least is not None and value < least) or (most is not None and value > most):
            raise FieldError(name, f"{value} is not {_range(least, most)}.")
        return value

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """A number within bounds."""
        value = self._body.get(name)
        if value is None:
            return default
        if type(value) not in (int, float):
            raise FieldError(name, f"a number is expected, got {_kind(value)}.")
        if not least <= value <= most:
            raise FieldError(name, f"{value} is not {_range(least, most)}.")
        return float(value)

    def object(self, name: str) -> Mapping[str, Any]:
        """An object, empty where absent."""
        value = self._body.get(name)
        if value is not None and not isinstance(value, dict):
            raise FieldError(name, f"an object is expected, got {_kind(value)}.")
        return value or {}

    def stops(self, name: str = "stop") -> tuple[str, ...]:
        """One string or a list of them, none of them empty."""
        value = self._body.get(name)
        if value is None:
            return ()
        stops: Sequence[Any] = [value] if isinstance(value, str) else value
        if not isinstance(stops, list) or len(stops) > _MOST_STOPS:
            raise FieldError(name, f"a string, or a list of up to {_MOST_STOPS}, is expected.")
        if not all(isinstance(stop, str) and stop for stop in stops):
            raise FieldError(name, "each must be a string that is not empty.")
        return tuple(stops)

    def only(self, name: str, *allowed: Any) -> None:
        """Refuse what is not served; absent and null are always allowed."""
        value = self._body.get(name)
        if value is not None and value not in allowed:
            raise FieldError(name, f"{value!r} is not served here.")


def are_tokens(value: Sequence[object]) -> bool:
    """Whether these are ids of tokens; whose, the model says."""
    return all(type(each) is int for each in value)


def _range(least: float | None, most: float | None) -> str:
    if most is None:
        return f"at least {least}"
    return f"between {least} and {most}"


def _kind(value: object) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
