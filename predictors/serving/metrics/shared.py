"""The metrics of several worker processes as one text.

Each worker leaves its text in a slot of memory shared with the others, once a second; whichever is
asked adds them up, so that a scrape may lag by that second. What a worker that died has counted
stays in the sums: a counter that fell would look like a restart of all of them.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from predictors.serving.metrics.server import ServerMetrics

__all__ = ["SharedTexts", "WorkerText", "added"]

_SLOT: Final = 1024 * 1024
_HEAD: Final = struct.Struct("=QI")
_LARGEST: Final = frozenset(
    {
        "startup_phase_seconds",
        "process_max_fds",
        "process_start_time_seconds",
        # Of one device, which several workers may see; and shares, which cannot be added.
        "rouse_device_memory_used_bytes",
        "rouse_device_memory_free_bytes",
        "rouse_device_memory_total_bytes",
        "vllm:kv_cache_usage_perc",
    }
)
"""Gauges of which the largest counts; all others but `_SMALLEST` are added up."""
_SMALLEST: Final = frozenset({"first_answer_seconds"})
_GROWING: Final = frozenset({"counter", "histogram", "summary"})


class SharedTexts:
    """A slot per worker, and one for the dead; made before the workers are forked.

    Untouched pages take no memory.
    """

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, (workers + 1) * _SLOT)
        self._workers = workers

    def of(self, index: int) -> Callable[[ServerMetrics], WorkerText]:
        """What makes the text of worker `index`."""
        return lambda metrics: WorkerText(self, index, metrics)

    def put(self, index: int, text: bytes) -> None:
        """Leave a text; one too large for its slot is left out."""
        if len(text) > _SLOT - _HEAD.size:
            text = b""
        start = index * _SLOT
        # Odd while it is written: a reader then takes it again. It is odd before, too, if whoever
        # wrote here last was killed in the middle of it.
        writing = (self.count(index) + 1) | 1
        _HEAD.pack_into(self._memory, start, writing, len(text))
        self._memory[start + _HEAD.size : start + _HEAD.size + len(text)] = text
        _HEAD.pack_into(self._memory, start, writing + 1, len(text))

    def count(self, index: int) -> int:
        """A number that grows with every text a worker leaves: a sign of life."""
        return int(_HEAD.unpack_from(self._memory, index * _SLOT)[0])

    def bury(self, index: int) -> None:
        """Keep what worker `index`, which is dead, has counted, and empty its slot."""
        dead = self._workers
        self.put(dead, added([self.get(dead), _counted(self.get(index))]))
        self.put(index, b"")

    def get(self, index: int) -> bytes:
        """The text of a worker; empty if it has left none, or never stops writing."""
        start = index * _SLOT
        for _ in range(100):
            count, size = _HEAD.unpack_from(self._memory, start)
            text = self._memory[start + _HEAD.size : start + _HEAD.size + size]
            if count % 2 == 0 and _HEAD.unpack_from(self._memory, start)[0] == count:
                return text
        return b""

    def others(self, index: int) -> list[bytes]:
        """The texts of all workers but one, and of the dead."""
        return [self.get(other) for other in range(self._workers + 1) if other != index]


class WorkerText:
    """The text that one worker answers a scrape with."""

    def __init__(self, shared: SharedTexts, index: int, metrics: ServerMetrics) -> None:
        self._shared = shared
        self._index = index
        self._metrics = metrics

    def __call__(self) -> bytes:
        """All workers' metrics, this one's as of now."""
        return added([self._metrics.text(), *self._shared.others(self._index)])

    def leave(self) -> None:
        """Leave this worker's metrics for the others."""
        self._shared.put(self._index, self._metrics.text())


def added(texts: Sequence[bytes]) -> bytes:
    """Expositions as one: samples of the same name and labels summed, but for `_LARGEST` and
    `_SMALLEST`. Nothing added up is nothing, not an empty line.
    """
    families: dict[str, list[str]] = {}
    samples: dict[str, dict[str, float]] = {}
    for text in texts:
        _collect(text.decode().splitlines(), families, samples)
    lines: list[str] = []
    for family, comments in families.items():
        lines.extend(comments)
        lines.extend(f"{key} {_number(value)}" for key, value in samples[family].items())
    return "".join(f"{line}\n" for line in lines).encode()


def _counted(text: bytes) -> bytes:
    """The families of a text that only ever grow: its counters and histograms."""
    kept: list[str] = []
    heading: list[str] = []
    grows = False
    for line in text.decode().splitlines():
        if line.startswith("# TYPE "):
            grows = line.rpartition(" ")[2] in _GROWING
            kept.extend([*heading, line] if grows else [])
            heading = []
        elif line.startswith("# "):
            heading.append(line)
            grows = False
        elif grows:
            kept.append(line)
    return "\n".join(kept).encode()


def _collect(
    lines: Iterable[str], families: dict[str, list[str]], samples: dict[str, dict[str, float]]
) -> None:
    family = ""
    for line in lines:
        if line.startswith("# "):
            _, kind, family, *_ = line.split(" ", 3)
            comments = families.setdefault(family, [])
            samples.setdefault(family, {})
            if not any(comment.startswith(f"# {kind} ") for comment in comments):
                comments.append(line)
            continue
        key, _, value = line.rpartition(" ")
        known = samples[family]
        before = known.get(key, 0.0)
        if family in _LARGEST:
            known[key] = max(before, float(value))
        elif family in _SMALLEST:
            known[key] = min(known.get(key, float(value)), float(value))
        else:
            known[key] = before + float(value)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
