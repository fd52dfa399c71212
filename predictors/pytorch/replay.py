"""A computation that is the same each time, played again.

On a GPU it is recorded once as a CUDA graph, after which one call launches all of its kernels; from
Python each of them costs several microseconds, which is longer than many of them compute.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

import torch

from predictors.pytorch.device import Device

__all__ = ["CudaGraphs", "Direct", "Replay", "replay_on"]

_log = logging.getLogger(__name__)

_WARM_UPS: Final = 2
"""Calls before a recording: libraries choose their kernels and take their memory in the first."""

T = TypeVar("T")


class Replay(Protocol):
    """Runs steps that read and write the same memory each time."""

    fixed: bool
    """Whether a step of another shape costs more than a larger one that is known already."""

    def run(self, key: Hashable, step: Callable[[], T]) -> T:
        """What `step` returns, which may be the same memory as at the last call for `key`.

        A step must do no more when it is called several times, wait for nothing on the device, and
        for one `key` always be the same.
        """

    def forget(self) -> None:
        """The steps' memory is about to be another: whatever was recorded does not hold."""


class Direct:
    """Calls the step each time. With `fixed` its user makes shapes as for a recording."""

    def __init__(self, *, fixed: bool = False) -> None:
        self.fixed = fixed

    def run(self, key: Hashable, step: Callable[[], T]) -> T:
        """What `step` returns."""
        return step()

    def forget(self) -> None:
        """Nothing was recorded."""


class CudaGraphs:
    """Records each key's step once, and replays it. For one thread; `name` is for the log.

    A step that cannot be recorded is called each time, as are all after it.
    """

    fixed = True

    def __init__(self, device: Device, name: str) -> None:
        self._device = device.torch
        self._name = name
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, Any]] = {}
        self._pool: Any = None
        self.broken = False

    def run(self, key: Hashable, step: Callable[[], T]) -> T:
        """What `step` returns; of a recording it is the same memory each time."""
        if key not in self._recorded:
            if self.broken:
                return step()
            try:
                with torch.cuda.device(self._device):
                    self._recorded[key] = self._record(step)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                self._give_up(error)
                return step()
        graph, made = self._recorded[key]
        graph.replay()
        told: T = made
        return told

    def forget(self) -> None:
        """Drop the recordings, once the device has done with them."""
        if self._recorded:
            with suppress(RuntimeError):  # a device that has failed has done with them, too
                torch.cuda.synchronize(self._device)
            self._recorded.clear()
            self._pool = None

    def _record(self, step: Callable[[], T]) -> tuple[torch.cuda.CUDAGraph, T]:
        aside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        here = torch.cuda.current_stream(self._device)
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                step()
        here.wait_stream(aside)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        # Other threads may take memory meanwhile: metrics, another model's requests.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            made = step()
        return graph, made

    def _give_up(self, error: RuntimeError) -> None:
        self.broken = True
        reason = (str(error) or type(error).__name__).splitlines()[0]
        _log.warning(
            "%s: its steps cannot be recorded as CUDA graphs and are launched kernel by kernel: %s",
            self._name,
            reason,
        )


def replay_on(device: Device, name: str) -> Replay:
    """CUDA graphs on a GPU, else plain calls."""
    return CudaGraphs(device, name) if device.torch.type == "cuda" else Direct()
