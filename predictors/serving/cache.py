"""Answers kept for requests that come again. Off unless the server is given a size."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from predictors.serving.inference import InferenceRequest
from predictors.serving.tensors import Tensor

__all__ = ["ResponseCache", "digest"]

_ENTRY_BYTES: Final = 512
"""What an entry weighs besides its arrays."""
_TEXT_BYTES: Final = 64


class ResponseCache:
    """Outputs by digest of the request; the longest unused go when `max_bytes` are exceeded."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, tuple[Sequence[Tensor], int]] = OrderedDict()
        self.bytes = 0

    def get(self, key: bytes) -> Sequence[Tensor] | None:
        """The outputs kept under `key`."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: bytes, outputs: Sequence[Tensor]) -> None:
        """Keep outputs. Those that alone would fill the cache are not kept."""
        weight = _ENTRY_BYTES + sum(_weight(output) for output in outputs)
        if weight > self._max_bytes // 4 or key in self._entries:
            return
        # A slice of a joined answer would hold the whole of it in memory.
        own = [o if o.array.base is None else o._replace(array=o.array.copy()) for o in outputs]
        self._entries[key] = own, weight
        self.bytes += weight
        while self.bytes > self._max_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self.bytes -= freed


def digest(request: InferenceRequest) -> bytes:
    """What tells requests apart: names, datatypes, shapes, values, and the outputs asked for."""
    summed = hashlib.blake2b(repr((request.wanted, request.parameters)).encode(), digest_size=20)
    for tensor in request.inputs:
        array = tensor.array
        summed.update(repr((tensor[:1], array.dtype.str, array.shape, tensor[2:])).encode())
        summed.update(repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes())
    return summed.digest()


def _weight(output: Tensor) -> int:
    array = output.array
    return int(array.nbytes + (array.size * _TEXT_BYTES if array.dtype.hasobject else 0))
