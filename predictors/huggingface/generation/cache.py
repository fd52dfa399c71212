"""Keys and values of a running batch, whose rows join and leave between two steps.

Rows end at the same column and begin where their length lets them: columns before a row's start are
masked. So a step writes one column, distances between columns are distances between positions
(which sliding windows and ALiBi rely on), and to join is to copy a prompt's columns in front of the
end. A row that leaves is filled with the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

__all__ = ["BatchCache"]

_COLUMNS: Final = 256
_ROWS: Final = 8


class _Span:
    """The part of the buffers in use: rows up to `rows`, columns from `first` to `end`."""

    def __init__(self) -> None:
        self.rows = 0
        self.first = 0
        self.end = 0


class _Layer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's buffers ``[rows, heads, columns, size]``; `update` writes the column at `end`."""

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, span: _Span) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._span = span

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        span = self._span
        rows, first, end = span.rows, span.first, span.end
        self.keys[:rows, :, end : end + 1] = key_states
        self.values[:rows, :, end : end + 1] = value_states
        return self.keys[:rows, :, first : end + 1], self.values[:rows, :, first : end + 1]

    def get_seq_length(self) -> int:
        return self._span.end - self._span.first

    def reserve(self, like: Any, rows: int, columns: int, shift: int) -> None:
        """Have buffers of that size; what is in use moves right by `shift` columns."""
        keys, values = like.keys, like.values
        if self.is_initialized:
            self.keys = self._moved(self.keys, keys, rows, columns, shift)
            self.values = self._moved(self.values, values, rows, columns, shift)
            return
        self.keys = _buffer(keys, rows, columns)
        self.values = _buffer(values, rows, columns)
        self.is_initialized = True

    def _moved(
        self, old: torch.Tensor, like: torch.Tensor, rows: int, columns: int, shift: int
    ) -> torch.Tensor:
        span = self._span
        new = _buffer(like, rows, columns)
        new[: span.rows, :, span.first + shift : span.end + shift] = old[
            : span.rows, :, span.first : span.end
        ]
        return new


def _buffer(like: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    # Zeros: a masked column takes part as 0 times its value, and memory as it comes may be NaN.
    return like.new_zeros((rows, like.shape[1], columns, like.shape[3]))


class BatchCache:
    """The rows of a batch; `cache` is what the model is given."""

    def __init__(self) -> None:
        self._span = _Span()
        self._layers: list[_Layer] = []
        self._starts = torch.zeros(0, dtype=torch.long)
        self._rows = 0
        self._columns = 0
        self.cache: Cache = Cache(layers=[])

    def __len__(self) -> int:
        return self._span.rows

    @property
    def positions(self) -> torch.Tensor:
        """The position of each row's next token, ``[rows, 1]``."""
        return (self._span.end - self._starts)[:, None]

    def mask(self) -> torch.Tensor:
        """Which columns each row sees in the next step, its own among them, ``[rows, columns]``."""
        span = self._span
        columns = torch.arange(span.first, span.end + 1)
        return (columns >= self._starts[:, None]).long()

    def join(self, prompts: DynamicCache, lengths: Sequence[int]) -> None:
        """Add the rows of `prompts`, which end at its last column and are `lengths` long."""
        span = self._span
        width = max(lengths)
        layers: Sequence[Any] = prompts.layers
        if not self._layers:
            self._layers = [_Layer(span) for _ in layers]
            self.cache = Cache(layers=list(self._layers))
        self._reserve(layers, span.rows + len(lengths), width)
        rows = slice(span.rows, span.rows + len(lengths))
        columns = slice(span.end - width, span.end)
        for mine, theirs in zip(self._layers, layers, strict=True):
            mine.keys[rows, :, columns] = theirs.keys[:, :, -width:]
            mine.values[rows, :, columns] = theirs.values[:, :, -width:]
        starts = span.end - torch.tensor(lengths, dtype=torch.long)
        self._starts = torch.cat((self._starts, starts))
        span.rows += len(lengths)
        span.first = int(self._starts.min())

    def stepped(self) -> None:
        """The model wrote a column: the next step writes the one after it."""
        self._span.end += 1
        if self._span.end == self._columns:
            self._reserve(self._layers, self._span.rows, 0)

    def leave(self, rows: Sequence[int]) -> list[int]:
        """Drop rows. Returns for each row that stays, in its new order, where it was before."""
        span = self._span
        order = list(range(span.rows))
        for row in sorted(rows, reverse=True):
            last = order.pop()
            if row == len(order):
                continue
            used = slice(int(self._starts[last]), span.end)
            for layer in self._layers:
                layer.keys[row, :, used] = layer.keys[len(order), :, used]
                layer.values[row, :, used] = layer.values[len(order), :, used]
            order[row] = last
        span.rows = len(order)
        self._starts = self._starts[order]
        span.first = int(self._starts.min()) if order else span.end
        return order

    def _reserve(self, like: Sequence[Any], rows: int, width: int) -> None:
        """Have room for `rows`, for `width` columns before the end and one after it."""
        span = self._span
        if not span.rows:
            span.first = span.end = max(width, self._columns // 4)
        used = max(span.end - span.first, width)
        fits = rows <= self._rows and span.end >= width and span.end < self._columns
        if fits:
            return
        self._rows = max(self._rows, -(-rows // _ROWS) * _ROWS)
        columns = -(-(used + _COLUMNS) // _COLUMNS) * _COLUMNS
        columns = max(columns, self._columns if used + _COLUMNS // 2 < self._columns else 0)
        # In the middle of what is free there is room for a longer prompt before, and for steps.
        end = used + (columns - used) // 4
        for layer, source in zip(self._layers, like, strict=True):
            layer.reserve(source, self._rows, columns, end - span.end)
        self._starts = self._starts + (end - span.end)
        span.first += end - span.end
        span.end = end
        self._columns = columns
