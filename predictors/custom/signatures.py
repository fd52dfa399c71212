"""What a user's function takes, found out once."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

from predictors.serving.errors import ModelLoadError
from predictors.serving.inference import InferenceRequest

__all__ = ["Form", "Takes", "construct", "load_arguments", "takes"]

_EXTRAS = ("headers", "parameters", "request")


class Form(Enum):
    """What the first argument of a plain class's method is."""

    AUTO = auto()
    ARRAY = auto()
    ARRAYS = auto()
    PAYLOAD = auto()
    FRAME = auto()
    LIST = auto()
    SINGLE = auto()
    REQUEST = auto()


class Takes(NamedTuple):
    """The form of the first argument, and which others the function wants by name."""

    form: Form
    extras: tuple[str, ...] = ()


def takes(function: Callable[..., Any]) -> Takes:
    """Read a bound method's signature. Raises `ModelLoadError` naming what it cannot be given."""
    name = getattr(function, "__qualname__", repr(function))
    parameters = list(inspect.signature(function).parameters.values())
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not positional and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise ModelLoadError(f"{name} takes no input; it must be {name}(self, inputs).")
    first = positional[0] if positional else None
    rest = [p for p in named if p is not first]
    odd = [p.name for p in rest if p.name not in _EXTRAS and p.default is p.empty]
    if odd:
        raise ModelLoadError(
            f"{name} takes {', '.join(odd)}, which nobody gives it; besides its input it may take "
            f"{', '.join(_EXTRAS)}, and what has a default."
        )
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        hints = {}  # names that exist for type checkers only
    hint = hints.get(first.name, first.annotation) if first is not None else Any
    return Takes(_form(hint, name), tuple(p.name for p in rest if p.name in _EXTRAS))


def construct(cls: type, given: Mapping[str, Any]) -> Any:
    """Make the object, with those of `given` its constructor has. Raises `ModelLoadError`."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except ValueError:  # written in C, or a builtin's
        return cls()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    missing = [p.name for p in named if p.default is p.empty and p.name not in given]
    if missing:
        raise ModelLoadError(
            f"{cls.__qualname__}(...) needs {', '.join(missing)}; it is given {', '.join(given)} "
            "only. Give the others defaults, or start the server in the file itself "
            "(python -m predictors.custom FILE.py)."
        )
    return cls(**{p.name: given[p.name] for p in named if p.name in given})


def load_arguments(function: Callable[..., Any], folder: Path) -> list[Any]:
    """The folder, for a `load` that takes it: a `str` where it is annotated so, else a `Path`."""
    parameters = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if not parameters:
        return []
    return [str(folder) if parameters[0].annotation in (str, "str") else folder]


def _form(hint: Any, name: str) -> Form:
    origin = get_origin(hint) or hint
    if origin in (inspect.Parameter.empty, Any, object):
        return Form.AUTO
    if isinstance(origin, str):  # could not be resolved
        return _form_of_text(origin)
    if isinstance(origin, type):
        form = _form_of_type(origin, get_args(hint))
        if form is not None:
            return form
    raise ModelLoadError(
        f"{name}: its input is annotated {hint}; known are numpy.ndarray, dict, "
        "dict[str, numpy.ndarray], pandas.DataFrame, list, str, bytes and InferenceRequest."
    )


def _form_of_type(origin: type, arguments: Sequence[Any]) -> Form | None:
    pandas = sys.modules.get("pandas")
    if issubclass(origin, np.ndarray):
        return Form.ARRAY
    if issubclass(origin, Mapping):
        value = arguments[1] if len(arguments) == 2 else None
        return Form.ARRAYS if (get_origin(value) or value) is np.ndarray else Form.PAYLOAD
    if pandas is not None and issubclass(origin, pandas.DataFrame):
        return Form.FRAME
    if issubclass(origin, InferenceRequest):
        return Form.REQUEST
    if origin in (str, bytes):
        return Form.SINGLE
    return Form.LIST if issubclass(origin, Sequence) else None


def _form_of_text(hint: str) -> Form:
    """An annotation whose names are there for type checkers only."""
    if "DataFrame" in hint:
        return Form.FRAME
    if "ndarray" in hint or "NDArray" in hint:
        return Form.ARRAYS if hint.lower().startswith(("dict", "mapping")) else Form.ARRAY
    return Form.PAYLOAD if hint.lower().startswith(("dict", "mapping")) else Form.AUTO
