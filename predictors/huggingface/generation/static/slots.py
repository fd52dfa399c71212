"""Keys and values of a running batch at addresses that stay, as a recorded step needs them.

Row r holds one text from its column 0 on, so that a column is a position. What a step reads of the
batch (tokens, lengths) is on the device as well: a step asks the host nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import torch
from transformers.cache_utils import DynamicCache

from predictors.pytorch.device import Device
from predictors.pytorch.replay import Replay

__all__ = ["Slots", "Step"]

_COLUMNS: Final = 256
_ROWS: Final = 8


class Step(NamedTuple):
    """What one step computes with, views of the batch's memory.

    `ids` ``[rows]`` are the tokens to go on from, `at` ``[rows]`` their positions, `mask`
    ``[rows, 1, 1, columns]`` what is added to scores of attention. `keys` and `values`
    ``[layers, rows, heads, columns, size]`` are what attention reads. `put` ``[rows, heads]`` is
    where a token's own are written, in `flat` of a layer.
    """

    ids: torch.Tensor
    at: torch.Tensor
    mask: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor
    put: torch.Tensor
    flat: torch.Tensor

    def write(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Keep the new tokens' keys and values, each ``[rows, heads, size]``."""
        self.flat[0, layer].index_put_((self.put,), keys)
        self.flat[1, layer].index_put_((self.put,), values)


class Slots:
    """The rows of a batch. `replay` is told when the memory becomes another.

    Its row lengths are known on both sides: a step adds one to them without asking. Memory grows by
    powers of two, and is kept, up to rows times columns of `most`; beyond it is what is needed.
    """

    def __init__(self, device: Device, replay: Replay, most: int) -> None:
        self._device = device
        self._replay = replay
        self._most = most
        self._memory: torch.Tensor | None = None
        self._ids = torch.zeros(0, dtype=torch.long, device=device.torch)
        self._at = torch.zeros(0, dtype=torch.long, device=device.torch)
        self._heads = self._at
        self._numbers = self._at
        self.lengths: list[int] = []

    def __len__(self) -> int:
        return len(self.lengths)

    def join(self, prompts: DynamicCache, lengths: Sequence[int]) -> None:
        """Add the rows of `prompts`, which end at its last column and are `lengths` long."""
        layers: Sequence[Any] = prompts.layers
        first = len(self)
        keys = layers[0].keys
        longest = max(*lengths, *self.lengths, 0)
        self._reserve(keys, len(layers), first + len(lengths), longest + 1)
        read = torch.stack([each.keys for each in layers] + [each.values for each in layers])
        read = read.view(2, len(layers), *keys.shape)
        memory = self._held()
        for row, length in enumerate(lengths):
            memory[:, :, first + row, :, :length] = read[:, :, row, :, -length:]
        self._at[first : first + len(lengths)] = self._uploaded(lengths)
        self.lengths.extend(lengths)

    def leave(self, rows: Sequence[int]) -> list[int]:
        """Drop rows. Returns for each row that stays, in its new order, where it was before."""
        memory, order = self._held(), list(range(len(self)))
        for row in sorted(rows, reverse=True):
            last = order.pop()
            if row == len(order):
                continue
            used = slice(0, self.lengths[last])
            memory[:, :, row, :, used] = memory[:, :, len(order), :, used]
            self._ids[row] = self._ids[len(order)]
            self._at[row] = self._at[len(order)]
            order[row] = last
        # Rows beyond the batch take part where a step has more: at a position that there is.
        self._at[len(order) : len(self)] = 0
        self.lengths = [self.lengths[row] for row in order]
        return order

    def feed(self, first: int, tokens: Sequence[int]) -> None:
        """The tokens to go on from, of rows from `first` on."""
        self._ids[first : first + len(tokens)] = self._uploaded(tokens)

    def shape(self) -> tuple[int, int]:
        """Rows and columns of the next step, which has room for one more column."""
        rows, columns = len(self), max(self.lengths) + 1
        memory = self._held()
        if columns > memory.shape[4]:
            self._reserve(memory[0, 0], memory.shape[1], rows, columns)
        if not self._replay.fixed:
            return rows, columns
        held = self._held().shape
        return min(_power(rows, 1), held[2]), min(_power(columns, _COLUMNS), held[4])

    def step(self, rows: int, columns: int) -> Step:
        """Views for a step of that shape; what of it is computed must be so at each step."""
        memory = self._held()
        ids, at = self._ids[:rows], self._at[:rows]
        mask = memory.new_zeros((rows, columns))
        mask = mask.masked_fill_(self._numbers[:columns] > at[:, None], -torch.inf)
        put = torch.add(at[:, None], self._heads[:rows])
        keys, values = memory[:, :, :rows, :, :columns]
        return Step(
            ids,
            at,
            mask[:, None, None],
            keys,
            values,
            put,
            memory.view(*memory.shape[:2], -1, memory.shape[-1]),
        )

    def stepped(self, chosen: torch.Tensor | None = None) -> None:
        """A step wrote a column of each row. `chosen` ``[rows]`` are the tokens to go on from."""
        rows = len(self)
        self._at[:rows].add_(1)
        if chosen is not None:
            self._ids[:rows] = chosen[:rows]
        self.lengths = [length + 1 for length in self.lengths]

    def _held(self) -> torch.Tensor:
        if self._memory is None:
            raise RuntimeError("no prompt was joined to the batch")
        return self._memory

    def _uploaded(self, numbers: Sequence[int]) -> torch.Tensor:
        return self._device.upload(torch.tensor(numbers, dtype=torch.long))

    def _reserve(self, like: torch.Tensor, layers: int, rows: int, columns: int) -> None:
        """Have room for as much; `like` is of a layer's keys, ``[_, heads, _, size]``."""
        old = self._memory
        if old is not None and rows <= old.shape[2] and columns <= old.shape[4]:
            return
        rows, columns = self._sizes(rows, columns)
        self._replay.forget()
        heads, size = like.shape[1], like.shape[3]
        # Zeros: a masked column takes part as 0 times its value, and memory as it comes may be NaN.
        new = like.new_zeros((2, layers, rows, heads, columns, size))
        used = len(self)
        if old is not None and used:
            longest = max(self.lengths)
            new[:, :, :used, :, :longest] = old[:, :, :used, :, :longest]
        self._memory = new
        self._ids, self._at = (_resized(each, used, rows) for each in (self._ids, self._at))
        starts = torch.arange(rows * heads, device=new.device) * columns
        self._heads = starts.view(rows, heads)
        self._numbers = torch.arange(columns, device=new.device)

    def _sizes(self, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns to have where so many are needed, now that there are too few."""
        kept = (0, 0) if self._memory is None else (self._memory.shape[2], self._memory.shape[4])
        least = -(-columns // _COLUMNS) * _COLUMNS
        wanted = (
            (_power(max(rows, kept[0]), _ROWS), _power(max(columns, kept[1]), _COLUMNS)),
            (_power(rows, 1), _power(columns, _COLUMNS)),
            (_power(rows, 1), least),
        )
        fits = (size for size in wanted if size[0] * size[1] <= self._most)
        return next(fits, (rows, least))


def _resized(old: torch.Tensor, used: int, rows: int) -> torch.Tensor:
    new = old.new_zeros(rows)
    new[:used] = old[:used]
    return new


def _power(number: int, least: int) -> int:
    """The power of two times `least` that holds `number`."""
    size = least
    while size < number:
        size *= 2
    return size
