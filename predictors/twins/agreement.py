"""Whether a twin answers as its original does, and what the original refuses.

Both are asked as the server asks them: rows of the contract, each method, one row and many, rows
at and beside thresholds, extremes, NaN, infinity, no rows, the wrong width. Labels must be equal
with their dtype; numbers may differ by `Tolerance`; a refusal must be word for word the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from predictors.serving.errors import RequestError
from predictors.serving.model import Model
from predictors.serving.tensors import Array, Tensor
from predictors.twins.model import TwinModel
from predictors.twins.operations import AskTheOriginal

__all__ = ["CHECKS", "Disagreement", "Tolerance", "agree", "close", "outcome", "refusals"]

CHECKS: Final = 1000
_BLOCK: Final = 50
_SINGLES: Final = 20
_MOST_COLUMNS: Final = 512


class Disagreement(Exception):  # noqa: N818 - a finding, not an error
    """The two answered differently; the message says to what."""


class Tolerance(NamedTuple):
    """Numbers agree within ``absolute + relative * |original|``."""

    relative: float = 1e-9
    absolute: float = 1e-12


class Checked(NamedTuple):
    """How many rows were compared, and the part of them that needed no original."""

    rows: int
    alone: float


def outcome(model: Model, method: str, rows: Array) -> Array | str:
    """The answer of a method, or the words of its refusal."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return model.predict([Tensor("input", rows)], (method,))[0].array
        except RequestError as error:
            return str(error)


def close(original: Array | str, twin: Array | str, tolerance: Tolerance) -> bool:
    """Whether two outcomes are the same one."""
    if isinstance(original, str) or isinstance(twin, str):
        return isinstance(original, str) and isinstance(twin, str) and original == twin
    if original.shape != twin.shape or original.dtype != twin.dtype:
        return False
    if original.dtype.kind != "f":
        return bool(np.array_equal(original, twin))
    return bool(
        np.allclose(
            twin, original, rtol=tolerance.relative, atol=tolerance.absolute, equal_nan=True
        )
    )


def refusals(original: Model, method: str, rows: Array) -> Mapping[str, Any]:
    """What the original says to odd rows: its words, True where it answers, None where it varies.

    `rows` are some that it answers.
    """
    prefix = f"Model {original.name} refused the input: "

    def said(odd: Array) -> str | bool:
        answer = outcome(original, method, odd)
        return answer.removeprefix(prefix) if isinstance(answer, str) else True

    def always(value: float) -> str | bool | None:
        width = rows.shape[1]
        spoilt = np.repeat(rows[:1], width, axis=0)
        np.fill_diagonal(spoilt, value)
        whole = np.full((1, width), value)
        if said(spoilt) is True:
            return said(whole) is True or None
        if width > _MOST_COLUMNS:
            return None
        words = {said(row[None]) for row in (*spoilt, *whole)}
        return words.pop() if len(words) == 1 else None

    huge, hugest = always(1e39), always(1.7e308)
    found = {
        "nan": always(np.nan),
        "inf": always(np.inf),
        # A scaler in front may overflow before a tree finds a number too large.
        "huge": huge if huge == hugest else None,
        "empty": said(rows[:0]),
    }
    # Only a refusal is the same for all such rows; an answer is the original's to give.
    return {kind: word for kind, word in found.items() if kind == "nan" or word is not True}


def agree(
    original: Model,
    twin: TwinModel,
    methods: Sequence[str],
    rows: Array,
    extremes: Array,
    tolerance: Tolerance,
) -> Checked:
    """Hold both against each other on all rows. Raises `Disagreement`."""
    count = 0
    for block in _blocks(rows, extremes):
        for method in methods:
            wanted = outcome(original, method, block)
            given = outcome(twin, method, block)
            if not close(wanted, given, tolerance):
                raise Disagreement(_difference(method, block, wanted, given))
        count += len(block)
    alone = [_alone(twin, methods[0], row[None]) for row in rows]
    return Checked(count, sum(alone) / max(1, len(alone)))


def _blocks(rows: Array, extremes: Array) -> Iterator[Array]:
    """Many rows at once, single ones, odd ones, none, and rows of the wrong width."""
    for begin in range(0, len(rows), _BLOCK):
        yield rows[begin : begin + _BLOCK]
    singles = rows[:_SINGLES]
    yield from (row[None] for row in singles)
    yield from (row[None] for row in extremes)
    for value in (np.nan, np.inf, -np.inf):
        for index, row in enumerate(singles):
            odd = row.copy()
            odd[index % len(odd)] = value
            yield odd[None]
        yield np.full((1, rows.shape[1]), value)
    both = singles[0].copy()
    both[0], both[-1] = np.inf, np.nan
    yield both[None]
    yield rows[:0]
    yield np.concatenate([singles, singles[:, :1]], axis=1)
    yield singles[:, :-1]


def _alone(twin: TwinModel, method: str, row: Array) -> bool:
    try:
        with np.errstate(all="ignore"):
            twin.answer(method, row)
    except AskTheOriginal:
        return False
    return True


def _difference(method: str, block: Array, wanted: Array | str, given: Array | str) -> str:
    shown = np.array2string(block[0, :6], threshold=6)
    if isinstance(wanted, str) or isinstance(given, str):
        first, second = (each if isinstance(each, str) else "an answer" for each in (wanted, given))
        return f"{method} of rows such as {shown}: original: {first}; twin: {second}"
    if wanted.shape != given.shape or wanted.dtype != given.dtype:
        return (
            f"{method} gives {wanted.dtype}{list(wanted.shape)}, "
            f"the twin {given.dtype}{list(given.shape)}"
        )
    apart = np.flatnonzero(np.ravel(wanted != given))
    place = int(apart[0]) if len(apart) else 0
    return (
        f"{method} of rows such as {shown}: original {wanted.ravel()[place]!r}, "
        f"twin {given.ravel()[place]!r}"
    )
