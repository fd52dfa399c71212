"""Reading the ``autoscaling.knative.dev/`` annotations: typed values and findings."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rouse.autoscaler.durations import parse_duration
from rouse.errors import FieldError

__all__ = ["PREFIX", "AnnotationReader"]

PREFIX = "autoscaling.knative.dev/"
_MAX_INT = 2**31 - 1


class AnnotationReader:
    """Typed access to the annotations; what is wrong is collected in ``errors``.

    Each name is accepted in today's spelling (``min-scale``) and in the former one (``minScale``).
    """

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self._annotations = annotations
        self.errors: list[FieldError] = []

    def text(self, name: str) -> str | None:
        """The annotation's raw value, ``None`` where it is not set."""
        return self._find(name)[1]

    def fail(self, name: str, message: str) -> None:
        """Report that the annotation ``name`` breaks a rule."""
        key, _ = self._find(name)
        self.errors.append(FieldError(f"metadata.annotations[{key}]", message))

    def integer(self, name: str, *, least: int = 0) -> int | None:
        """A whole number of at least ``least``."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value = int(text)
        except ValueError:
            self.fail(name, f"{text!r} is no whole number")
            return None
        if not least <= value <= _MAX_INT:
            self.fail(name, f"must be between {least} and {_MAX_INT}, is {value}")
            return None
        return value

    def number(self, name: str, least: float, most: float = math.inf) -> float | None:
        """A number in [``least``, ``most``]."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            self.fail(name, f"{text!r} is no number")
            return None
        if not least <= value <= most:
            bounds = f"at least {least:g}" if most == math.inf else f"in [{least:g}, {most:g}]"
            self.fail(name, f"must be {bounds}, is {value:g}")
            return None
        return value

    def seconds(self, name: str, least: float, most: float, *, whole: bool = False) -> float | None:
        """A duration of ``least`` to ``most`` seconds, of whole seconds if ``whole``."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value = parse_duration(text)
        except ValueError as error:
            self.fail(name, str(error))
            return None
        if not least <= value <= most:
            self.fail(name, f"must be between {least:g}s and {most:g}s, is {text}")
            return None
        if whole and not value.is_integer():
            self.fail(name, f"must be whole seconds, is {text}")
            return None
        return value

    def _find(self, name: str) -> tuple[str, str | None]:
        key = PREFIX + name
        first, *rest = name.split("-")
        former = PREFIX + first + "".join(word.capitalize() for word in rest)
        for candidate in (key, former):
            if candidate in self._annotations:
                return candidate, self._annotations[candidate]
        return key, None
