"""What a translation gives, and the errors and helpers of all translators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.artifact import Operation

__all__ = ["Heads", "Translated", "UntranslatableError", "kind", "operation", "reals"]

Heads = Mapping[str, Sequence[Sequence[Operation]]]
"""For each method the operations from the scores to its answer; several to choose among."""


class UntranslatableError(Exception):
    """There is no translation of this estimator; the message says of what."""


class Translated(NamedTuple):
    """Operations from rows to scores, and from there to each method's answer."""

    base: Sequence[Operation]
    heads: Heads


def operation(name: str, **parameters: Any) -> Operation:
    """An operation of `predictors.twins.operations`."""
    return Operation(name, parameters)


def kind(estimator: Any) -> str:
    """The class's name. Raises `UntranslatableError` for a class that is not scikit-learn's own.

    A class of the user's may compute anything.
    """
    cls = type(estimator)
    if not cls.__module__.startswith("sklearn."):
        raise UntranslatableError(f"{cls.__module__}.{cls.__name__} is not scikit-learn's own")
    return str(cls.__name__)


def reals(owner: Any, attribute: str) -> Array:
    """What was learned, as float64. Raises `UntranslatableError` where it is something else."""
    value = getattr(owner, attribute)
    if not isinstance(value, np.ndarray | float | int | np.generic):
        raise UntranslatableError(f"{attribute} of {type(owner).__name__} is no array")
    array = np.asarray(value)
    # In float32 the estimator's own arithmetic would be float32's.
    if array.dtype != np.float64:
        raise UntranslatableError(f"{attribute} of {type(owner).__name__} is {array.dtype}")
    return array
