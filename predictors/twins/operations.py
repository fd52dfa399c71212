"""The arithmetic of twins: each operation makes rows of rows, in scikit-learn's own order.

An operation is made once from its parameters and then called with a float64 matrix. What it cannot
answer as the original would, it leaves to the original by raising `AskTheOriginal`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.artifact import BadTwinError, Operation
from predictors.twins.trees import grown

__all__ = ["AskTheOriginal", "Step", "chained"]

Step = Callable[[Array], Array]


class AskTheOriginal(Exception):  # noqa: N818 - no error: the original answers
    """Only the original knows what to say to these rows."""


def chained(operations: Sequence[Operation]) -> Step:
    """All of `operations`, one after the other. Raises `BadTwinError` for an unknown one."""
    steps = [_made(each) for each in operations]
    if len(steps) == 1:
        return steps[0]

    def run(rows: Array) -> Array:
        for step in steps:
            rows = step(rows)
        return rows

    return run


def _made(operation: Operation) -> Step:
    make = _MAKERS.get(operation.name) or _later(operation.name)
    if make is None:
        raise BadTwinError(f"it has an operation {operation.name} that is not known here")
    try:
        return make(**operation.parameters)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadTwinError(f"its operation {operation.name} is damaged: {error}") from error


def _later(name: str) -> Callable[..., Step] | None:
    """What makes an operation that few models need: its module is imported only for these."""
    module = _LATER.get(name)
    if module is None:
        return None
    made: Callable[..., Step] = getattr(import_module(f"predictors.twins.{module}"), name)
    return made


def _minus(by: Array) -> Step:
    return lambda rows: rows - by


def _plus(by: Array) -> Step:
    return lambda rows: rows + by


def _times(by: Array) -> Step:
    return lambda rows: rows * by


def _over(by: Array) -> Step:
    return lambda rows: rows / by


def _clip(low: float, high: float) -> Step:
    return lambda rows: np.clip(rows, low, high)


def _take(columns: Array) -> Step:
    return lambda rows: np.ascontiguousarray(rows[:, columns])


def _normalize(norm: str) -> Step:
    lengths: dict[str, Step] = {
        "l1": lambda rows: np.abs(rows).sum(axis=1),
        "l2": lambda rows: np.sqrt(np.einsum("ij,ij->i", rows, rows)),
        "max": lambda rows: np.abs(rows).max(axis=1),
    }
    length = lengths[norm]

    def normalize(rows: Array) -> Array:
        sizes = length(rows)
        sizes[sizes < 10 * np.finfo(np.float64).eps] = 1.0
        answer: Array = rows / sizes[:, None]
        return answer

    return normalize


def _impute(values: Array) -> Step:
    return lambda rows: np.where(np.isnan(rows), values, rows)


def _binarize(threshold: float) -> Step:
    return lambda rows: (rows > threshold).astype(np.float64)


def _powers(exponents: Array) -> Step:
    """Products of powers, one a row of `exponents`."""
    factors = [np.repeat(np.arange(len(row)), row) for row in exponents]

    def products(rows: Array) -> Array:
        made = np.ones((len(rows), len(factors)))
        for index, columns in enumerate(factors):
            for column in columns:
                made[:, index] *= rows[:, column]
        return made

    return products


def _onehot(categories: Sequence[Array], dropped: Sequence[int], *, strict: bool) -> Step:
    """A column of ones and zeros for each category but the dropped (-1: none is dropped)."""
    kept = [np.arange(len(c)) != drop for c, drop in zip(categories, dropped, strict=True)]

    def encode(rows: Array) -> Array:
        parts = []
        for index, values in enumerate(categories):
            hits = rows[:, index, None] == values
            if strict and not hits.any(axis=1).all():
                raise AskTheOriginal
            parts.append(hits[:, kept[index]])
        return np.concatenate(parts, axis=1, dtype=np.float64)

    return encode


def _ordinal(categories: Sequence[Array], unknown: float | None) -> Step:
    """The place of each value among its column's categories, which are sorted."""

    def encode(rows: Array) -> Array:
        made = np.empty(rows.shape)
        for index, values in enumerate(categories):
            column = rows[:, index]
            places = np.minimum(np.searchsorted(values, column), len(values) - 1)
            known = values[places] == column
            if unknown is None and not known.all():
                raise AskTheOriginal
            made[:, index] = np.where(known, places, np.nan if unknown is None else unknown)
        return made

    return encode


def _columns(branches: Sequence[Mapping[str, Any]]) -> Step:
    """What each branch makes of the columns it takes, side by side."""
    made = [(each["take"], chained(each["steps"])) for each in branches]

    def side_by_side(rows: Array) -> Array:
        return np.concatenate([step(rows[:, take]) for take, step in made], axis=1)

    return side_by_side


def _linear(weights: Array, intercept: Array) -> Step:
    """`weights` is as the estimator has it: a row per output, or one vector."""
    turned = weights.T  # a view: the matrix product then is the estimator's, bit by bit
    return lambda rows: rows @ turned + intercept


def _project(weights: Array, offset: Array) -> Step:
    turned = weights.T
    return lambda rows: rows @ turned - offset


_ACTIVATIONS: Final[Mapping[str, Step]] = {
    "identity": lambda values: values,
    "relu": lambda values: np.maximum(values, 0.0),
    "tanh": np.tanh,
    "logistic": lambda values: _expit(values),
    "softmax": lambda values: _softmax(values),
}


def _dense(weights: Array, bias: Array, activation: str) -> Step:
    act = _ACTIVATIONS[activation]
    return lambda rows: act(rows @ weights + bias)


def _gaussian(means: Array, variances: Array, priors: Array) -> Step:
    """Joint log likelihoods of naive Bayes, a column a class."""
    constants = [-0.5 * np.sum(np.log(2.0 * np.pi * each)) for each in variances]

    def likelihoods(rows: Array) -> Array:
        columns = [
            prior + (constant - 0.5 * np.sum(((rows - mean) ** 2) / variance, 1))
            for prior, constant, mean, variance in zip(
                priors, constants, means, variances, strict=True
            )
        ]
        return np.array(columns).T

    return likelihoods


def _log_normalized() -> Step:
    return lambda scores: scores - _logsumexp(scores)[:, None]


def _above(classes: Array, *, inclusive: bool = False) -> Step:
    """The second class where the score is above zero, else the first."""
    if inclusive:
        return lambda scores: classes.take((scores.ravel() >= 0).astype(np.intp))
    return lambda scores: classes.take((scores.ravel() > 0).astype(np.intp))


def _majority(classes: Array) -> Step:
    """The second class where its probability is above one half, else the first."""
    return lambda scores: classes.take((scores.ravel() > 0.5).astype(np.intp))


def _best(classes: Array) -> Step:
    return lambda scores: classes.take(scores.argmax(axis=1))


def _sigmoid(factor: float = 1.0) -> Step:
    """Probabilities of two classes from one score."""

    def both(scores: Array) -> Array:
        second = _expit(scores.ravel() * factor if factor != 1.0 else scores.ravel())
        return np.stack([1 - second, second], axis=1)

    return both


def _one_versus_rest() -> Step:
    def normalized(scores: Array) -> Array:
        each = _expit(scores)
        total = each.sum(axis=1)
        nothing = total == 0
        if nothing.any():
            each[nothing, :] = 1
            total[nothing] = each.shape[1]
        answer: Array = each / total[:, None]
        return answer

    return normalized


def _pair() -> Step:
    """Probabilities of two classes from that of the second."""

    def both(second: Array) -> Array:
        second = second.ravel()
        return np.stack([1 - second, second], axis=1)

    return both


def _expit(values: Array) -> Array:
    with np.errstate(over="ignore"):
        answer: Array = 1.0 / (1.0 + np.exp(-values))
    return answer


def _softmax(scores: Array) -> Array:
    shifted = np.exp(scores - scores.max(axis=1)[:, None])
    answer: Array = shifted / shifted.sum(axis=1)[:, None]
    return answer


def _logsumexp(scores: Array) -> Array:
    top = scores.max(axis=1)
    answer: Array = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return answer


def _halved(depths: Array) -> Array:
    answer: Array = -(2 ** -depths.ravel())
    return answer


def _log(values: Array) -> Array:
    with np.errstate(divide="ignore"):
        answer: Array = np.log(values)
    return answer


_MAKERS: Final[Mapping[str, Callable[..., Step]]] = {
    "minus": _minus,
    "plus": _plus,
    "times": _times,
    "over": _over,
    "clip": _clip,
    "take": _take,
    "normalize": _normalize,
    "impute": _impute,
    "binarize": _binarize,
    "powers": _powers,
    "onehot": _onehot,
    "ordinal": _ordinal,
    "columns": _columns,
    "linear": _linear,
    "project": _project,
    "dense": _dense,
    "gaussian": _gaussian,
    "trees": grown,
    "log_normalized": _log_normalized,
    "above": _above,
    "majority": _majority,
    "best": _best,
    "sigmoid": _sigmoid,
    "softmax": lambda: _softmax,
    "one_versus_rest": _one_versus_rest,
    "pair": _pair,
    "exp": lambda: np.exp,
    "expm1": lambda: np.expm1,
    "square": lambda: np.square,
    "sqrt": lambda: np.sqrt,
    "named": lambda classes: lambda places: classes.take(places),
    "upright": lambda: lambda rows: rows.reshape(len(rows), -1),
    "log": lambda: _log,
    "expit": lambda: _expit,
    "halved": lambda: _halved,
    "single": lambda: lambda values: values.astype(np.float32),
    "flat": lambda: np.ravel,
    "same": lambda: lambda rows: rows,
}

_LATER: Final[Mapping[str, str]] = {
    "machine": "kernels",
    "voted": "kernels",
    "versus_rest": "kernels",
    "coupled": "kernels",
    "blend": "committees",
    "calibrated": "committees",
    "shares": "committees",
    "distances": "distances",
    "nearest": "distances",
    "neighbours": "distances",
    "each_best": "several",
    "each_padded": "several",
}
"""Further operations, and the modules that have a function of that name."""
