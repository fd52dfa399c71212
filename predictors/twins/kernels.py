"""Kernel machines: libsvm's decision values, votes, and coupled probabilities, by numpy.

A row's kernel values times one column of weights a pair of classes; the first class of a pair wins
above zero. libsvm adds in another order than a matrix product, so that a decision as near to zero
as their difference may reach is left to the original.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.distances import in_blocks, squares
from predictors.twins.operations import AskTheOriginal, Step

__all__ = ["coupled", "machine", "versus_rest", "voted"]

_NEAR: Final = 1e-11
"""Of the sum of all weights: far above what the order of additions changes."""
_FEW: Final = 8
"""So many rows are coupled faster one by one, as plain numbers, than side by side."""
_STOP: Final = 0.005
_LEAST: Final = 1e-7


def machine(
    vectors: Array,
    weights: Array,
    intercept: Array,
    kernel: str,
    gamma: float,
    coef0: float,
    degree: int,
    *,
    sure: bool,
) -> Step:
    """Rows to decision values of shape (rows, pairs).

    `vectors` is (vectors, columns), `weights` (vectors, pairs). With `sure` a value that rounding
    could carry over zero is left to the original.
    """
    values = _KERNELS[kernel](vectors, gamma, coef0, degree)
    bounded = kernel in ("rbf", "sigmoid")
    amounts, shift = np.abs(weights).sum(axis=0) * _NEAR, np.abs(intercept) * _NEAR
    near = amounts + shift

    def block(rows: Array) -> Array:
        similar = values(rows)
        scores: Array = similar @ weights
        scores += intercept
        if sure:
            bound = near
            if not bounded:
                bound = np.abs(similar).max(axis=1)[:, None] * amounts + shift
            if not (np.abs(scores) > bound).all():
                raise AskTheOriginal
        return scores

    return in_blocks(block, vectors.size)


def _rbf(vectors: Array, gamma: float, _coef0: float, _degree: int) -> Step:
    measured = squares(vectors)

    def values(rows: Array) -> Array:
        made = measured(rows)
        made *= -gamma
        similar: Array = np.exp(made, out=made)
        return similar

    return values


def _linear(vectors: Array, _gamma: float, _coef0: float, _degree: int) -> Step:
    turned = vectors.T
    return lambda rows: rows @ turned


def _sigmoid(vectors: Array, gamma: float, coef0: float, _degree: int) -> Step:
    turned = vectors.T
    return lambda rows: np.tanh(gamma * (rows @ turned) + coef0)


def _poly(vectors: Array, gamma: float, coef0: float, degree: int) -> Step:
    turned = vectors.T

    def values(rows: Array) -> Array:
        factor, left = gamma * (rows @ turned) + coef0, degree
        made = np.ones_like(factor)
        while left:  # libsvm's order of multiplications
            if left % 2:
                made = made * factor
            factor, left = factor * factor, left // 2
        if not math.isfinite(made.sum()):
            raise AskTheOriginal
        return made

    return values


_KERNELS: Final[Mapping[str, Callable[[Array, float, float, int], Step]]] = {
    "rbf": _rbf,
    "linear": _linear,
    "sigmoid": _sigmoid,
    "poly": _poly,
}


def _duels(count: int) -> tuple[Array, Array]:
    """For each pair of `count` classes a row: one where it has its first, and its second."""
    first, second = np.triu_indices(count, 1)
    return np.eye(count)[first], np.eye(count)[second]


def voted(classes: Array) -> Step:
    """The class that wins most pairs, the first of several."""
    if len(classes) == 2:
        return lambda scores: classes.take((scores.ravel() <= 0).astype(np.intp))
    first, second = _duels(len(classes))
    gained, given = first - second, second.sum(axis=0)
    return lambda scores: classes.take(((scores > 0) @ gained + given).argmax(axis=1))


def versus_rest(count: int) -> Step:
    """Votes of each class, and less than half a vote for the sum of its decision values."""
    first, second = _duels(count)
    gained, given = first - second, second.sum(axis=0)

    def decide(scores: Array) -> Array:
        sums = scores @ gained
        answer: Array = (scores >= 0) @ gained + given + sums / (3 * (np.abs(sums) + 1))
        return answer

    return decide


def coupled(slopes: Array, offsets: Array, count: int) -> Step:
    """Probabilities of `count` classes from Platt's of each pair, by Wu, Lin and Weng's method."""

    def probabilities(scores: Array) -> Array:
        exponents = scores * slopes + offsets
        smaller = np.exp(-np.abs(exponents))
        second = smaller / (1 + smaller)
        pairs = np.where(exponents >= 0, second, 1 / (1 + smaller)).clip(_LEAST, 1 - _LEAST)
        if len(pairs) <= _FEW:
            return np.array([_solved(row.tolist(), count) for row in pairs])
        return _solved_together(pairs, count)

    return probabilities


def _solved(pairs: list[float], count: int) -> list[float]:
    table, shares = _table(pairs, count), [1 / count] * count
    for _ in range(max(100, count)):
        products, whole = _products(table, shares)
        if max(abs(each - whole) for each in products) < _STOP / count:
            break
        _improve(table, shares, products, whole)
    return shares


def _solved_together(pairs: Array, count: int) -> Array:
    made = np.empty((len(pairs), count))
    left = np.arange(len(pairs))
    table = np.array(_table(list(pairs.T), count))
    shares = [np.full(len(pairs), 1 / count) for _ in range(count)]
    for _ in range(max(100, count)):
        products, whole = _products(table, shares)
        error = np.abs(np.array(products) - whole).max(axis=0)
        going = ~(error < _STOP / count)
        if not going.all():
            made[left[~going]] = np.array(shares).T[~going]
            left, table, whole = left[going], table[:, :, going], whole[going]
            shares, products = ([each[going] for each in part] for part in (shares, products))
            if not len(left):
                return made
        _improve(table, shares, products, whole)
    made[left] = np.array(shares).T
    return made


# The rest computes with numbers of one row, or with arrays of numbers, one a row.


def _table(pairs: Sequence[Any], count: int) -> Sequence[Sequence[Any]]:
    """The quadratic form that the probabilities minimize."""
    place = iter(pairs)
    wins: list[list[Any]] = [[0.0] * count for _ in range(count)]
    for i in range(count):
        for j in range(i + 1, count):
            wins[i][j] = next(place)
            wins[j][i] = 1 - wins[i][j]
    table = [[-wins[j][i] * wins[i][j] for j in range(count)] for i in range(count)]
    for i in range(count):
        table[i][i] = sum(wins[j][i] * wins[j][i] for j in range(count) if j != i)
    return table


def _products(table: Any, shares: Sequence[Any]) -> tuple[list[Any], Any]:
    products = [sum(q * p for q, p in zip(row, shares, strict=True)) for row in table]
    return products, sum(p * each for p, each in zip(shares, products, strict=True))


def _improve(table: Any, shares: list[Any], products: list[Any], whole: Any) -> None:
    """One round over all classes, in place."""
    for i, row in enumerate(table):
        step = (whole - products[i]) / row[i]
        over = 1 + step
        shares[i] = shares[i] + step
        whole = (whole + step * (step * row[i] + 2 * products[i])) / over / over
        products[:] = [(each + step * q) / over for each, q in zip(products, row, strict=True)]
        shares[:] = [each / over for each in shares]
