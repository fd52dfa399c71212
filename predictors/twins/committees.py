"""What estimators made of others do with the answers of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.operations import Step, chained

__all__ = ["blend", "calibrated", "shares"]

Joined = Callable[[Sequence[Array], Any], Array]


def blend(
    branches: Sequence[Mapping[str, Any]], how: str, weights: Sequence[float] | None = None
) -> Step:
    """The answers of branches, each to the columns that it takes, made one.

    ``mean`` averages them, ``votes`` counts their labels, which are 0, 1, ..., and ``side`` sets
    one column beside the other.
    """
    made = [(each["take"], chained(each["steps"])) for each in branches]
    join = _JOINED[how]

    def blended(rows: Array) -> Array:
        parts = [step(rows[:, take]) for take, step in made]
        return join(parts, weights)

    return blended


def _mean(parts: Sequence[Array], weights: Any) -> Array:
    answer: Array = np.average(np.array(parts), axis=0, weights=weights)
    return answer


def _votes(parts: Sequence[Array], weights: Any) -> Array:
    labels = np.array(parts)
    hits = labels[:, :, None] == np.arange(labels.max(initial=0) + 1)
    scale = np.ones(len(parts)) if weights is None else np.asarray(weights, dtype=np.float64)
    answer: Array = (hits * scale[:, None, None]).sum(axis=0)
    return answer


def _side(parts: Sequence[Array], _weights: Any) -> Array:
    return np.stack([np.ravel(part) for part in parts], axis=1)


_JOINED: Final[Mapping[str, Joined]] = {"mean": _mean, "votes": _votes, "side": _side}


def shares() -> Step:
    """Each value's share in its row; nothing where the row has nothing."""

    def normalized(scores: Array) -> Array:
        total = scores.sum(axis=1)[:, None]
        answer: Array = np.divide(scores, total, out=scores.copy(), where=total != 0)
        return answer

    return normalized


def calibrated(curves: Sequence[Mapping[str, Any]]) -> Step:
    """Probabilities from scores, by a curve for each class, or one for the second of two.

    A curve has a ``slope`` and an ``offset``, or the corners ``x`` and ``y`` of lines.
    """
    steps = [_curve(**each) for each in curves]

    def probabilities(scores: Array) -> Array:
        columns = scores.reshape(len(scores), len(steps)).T
        each = np.stack([step(part) for step, part in zip(steps, columns, strict=True)], axis=1)
        if len(steps) == 1:
            made = np.concatenate([1.0 - each, each], axis=1)
        else:
            total = each.sum(axis=1)[:, None]
            equal = np.full_like(each, 1 / len(steps))
            made = np.divide(each, total, out=equal, where=total != 0)
        made[(made > 1.0) & (made <= 1.0 + 1e-5)] = 1.0
        return made

    return probabilities


def _curve(
    slope: float = 0.0, offset: float = 0.0, x: Array | None = None, y: Array | None = None
) -> Step:
    if x is not None and y is not None:
        corners, heights = x, y
        return lambda scores: np.interp(scores, corners, heights)

    def logistic(scores: Array) -> Array:
        with np.errstate(over="ignore"):
            answer: Array = 1.0 / (1.0 + np.exp(slope * scores + offset))
        return answer

    return logistic
