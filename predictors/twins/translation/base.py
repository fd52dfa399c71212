"""What a translation gives, and the errors and helpers of all translators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.artifact import Operation

__all__ = [
    "Heads",
    "Translated",
    "UntranslatableError",
    "classes_of",
    "kind",
    "labels_of",
    "operation",
    "reals",
]

_KEPT: Final = frozenset({"<i8", "<f8", "|b1"})
"""Dtypes of classes that come back from a twin's file as they were."""

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


def classes_of(estimator: Any) -> Array:
    """The labels. Raises `UntranslatableError` where a twin would not give them alike."""
    if not isinstance(estimator.classes_, np.ndarray):
        raise UntranslatableError(f"{type(estimator).__name__} has several outputs")
    return labels_of(estimator, estimator.classes_)


def labels_of(estimator: Any, classes: Array) -> Array:
    """The labels of one output. Raises `UntranslatableError` as `classes_of` does."""
    if classes.ndim != 1:
        raise UntranslatableError(f"{type(estimator).__name__} has several outputs")
    if classes.dtype.kind == "O" and not all(isinstance(each, str) for each in classes):
        raise UntranslatableError(f"the classes of {type(estimator).__name__} are no strings")
    if classes.dtype.kind not in "OU" and classes.dtype.str not in _KEPT:
        raise UntranslatableError(f"its classes are {classes.dtype}")
    return classes
