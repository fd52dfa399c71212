"""Where a model computes: the device's name, its memory, its streams, and running out of it.

No GPU was at hand when this was written: the paths behind ``cuda`` are tested with torch's calls
replaced, not on a device.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

import torch

from predictors.serving.errors import ModelLoadError, OverloadedError
from predictors.serving.metrics.custom import expose
from predictors.serving.metrics.histogram import head, labelled

__all__ = ["Device", "Download"]

_log = logging.getLogger(__name__)

_CPU_EXHAUSTED: Final = "DefaultCPUAllocator: can't allocate memory"
"""The only mark of torch's RuntimeError for a machine without memory left."""


class Download:
    """A copy on its way to the processor's memory. `arrived` is None where it is there already."""

    def __init__(self, copy: torch.Tensor, arrived: torch.cuda.Event | None = None) -> None:
        self._copy = copy
        self._arrived = arrived

    def result(self) -> torch.Tensor:
        """The copy, complete; waits for what was computed before it, not for what came after."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._copy


class Device:
    """One device of this process, by torch's name for it: ``cpu``, ``cuda:0``."""

    def __init__(self, name: str = "cpu") -> None:
        self.torch = torch.device(name)
        self.name = str(self.torch)
        self._streams = threading.local()

    @classmethod
    def choose(cls, env: Mapping[str, str] = os.environ) -> Device:
        """The one ``ROUSE_DEVICE`` names, else the first GPU that torch sees, else the processor.

        Raises `ModelLoadError` for a device that is not there.
        """
        wanted = env.get("ROUSE_DEVICE", "").strip().lower()
        if not wanted or wanted == "auto":
            return cls("cuda:0" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(wanted)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ModelLoadError(f"ROUSE_DEVICE is {wanted!r}, which is no device: {reason}") from (
                error
            )
        if device.type == "cuda":
            count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            if (device.index or 0) >= count:
                raise ModelLoadError(
                    f"ROUSE_DEVICE is {wanted}; this process sees {count} CUDA devices with torch "
                    f"{torch.__version__}. Check the driver, the image and CUDA_VISIBLE_DEVICES."
                )
            return cls(f"cuda:{device.index or 0}")
        return cls(wanted)

    @property
    def accelerated(self) -> bool:
        """Whether it is another device than the processor."""
        return self.torch.type != "cpu"

    @property
    def label(self) -> str:
        """The name in metrics: of a GPU the machine's, which is the same in every worker."""
        visible = [part for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
        index = self.torch.index or 0
        if self.torch.type == "cuda" and index < len(visible):
            return f"cuda:{visible[index].strip()}"
        return self.name

    def memory(self) -> tuple[int, int] | None:
        """Bytes in use by all processes, and bytes there are; None for the processor."""
        if self.torch.type != "cuda":
            return None
        free, total = torch.cuda.mem_get_info(self.torch)
        return total - free, total

    def show_memory(self) -> None:
        """Have `memory` among the server's metrics from now on; nothing for the processor."""
        if self.torch.type == "cuda":
            expose("device_memory", self._lines)

    def stream(self) -> AbstractContextManager[object]:
        """This thread's own CUDA stream: copies and kernels of two threads then overlap."""
        if self.torch.type != "cuda":
            return nullcontext()
        stream = getattr(self._streams, "stream", None)
        if stream is None:
            made = torch.cuda.Stream(self.torch)  # type: ignore[no-untyped-call]
            stream = self._streams.stream = made
        return torch.cuda.stream(stream)

    def upload(self, tensor: torch.Tensor) -> torch.Tensor:
        """`tensor` on this device; from pinned memory, without waiting for the copy."""
        if self.torch.type != "cuda":
            return tensor.to(self.torch)
        return tensor.pin_memory().to(self.torch, non_blocking=True)

    def download(self, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        """`tensors` in the processor's memory, complete: one wait for all of them."""
        if self.torch.type != "cuda":
            return [tensor.cpu() for tensor in tensors]
        copies = []
        for tensor in tensors:
            copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            copies.append(copy.copy_(tensor, non_blocking=True))
        torch.cuda.current_stream(self.torch).synchronize()
        return copies

    def begin_download(self, tensor: torch.Tensor) -> Download:
        """Copy `tensor` as it will be once all that is queued is computed; waits for nothing."""
        if self.torch.type != "cuda":
            return Download(tensor.to("cpu", copy=True))
        copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        copy.copy_(tensor, non_blocking=True)
        # Who waits sleeps: the event loop may have only the same core to work on.
        arrived = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        arrived.record(torch.cuda.current_stream(self.torch))
        return Download(copy, arrived)

    @contextmanager
    def out_of_memory(self, model: str = "the model") -> Iterator[None]:
        """A device without memory left becomes `OverloadedError` (503), and memory is given back.

        Everything the failed call held is let go before the error is raised, so that the worker
        answers the next request.
        """
        try:
            yield
            return
        except torch.OutOfMemoryError as error:
            reason = _forgotten(error)
        except RuntimeError as error:
            if _CPU_EXHAUSTED not in str(error):
                raise
            reason = _forgotten(error)
        self.release()
        _log.error("%s: %s is out of memory: %s", model, self.name, reason)
        raise OverloadedError(
            f"Model {model}: the device {self.name} is out of memory ({reason}). Try again in a "
            "second, with a smaller input, or lower --max_batch_size."
        )

    def release(self) -> None:
        """Give memory that nothing refers to any more back to the device."""
        gc.collect()
        if self.torch.type == "cuda":
            torch.cuda.empty_cache()

    def _lines(self) -> Iterator[str]:
        memory = self.memory()
        if memory is None:
            return
        used, total = memory
        labels = labelled({"device": self.label})
        for name, text, value in (
            ("used", "Bytes of the device's memory in use, by all processes.", used),
            ("free", "Bytes of the device's memory that are free.", total - used),
            ("total", "Bytes of the device's memory.", total),
        ):
            yield from head(f"rouse_device_memory_{name}_bytes", "gauge", text)
            yield f"rouse_device_memory_{name}_bytes{{{labels}}} {value}"


def _forgotten(error: BaseException) -> str:
    """The error's first sentence; the frames that hold the failed call's tensors are cleared."""
    traceback.clear_frames(error.__traceback__)
    return (str(error) or type(error).__name__).splitlines()[0].partition(". ")[0]
