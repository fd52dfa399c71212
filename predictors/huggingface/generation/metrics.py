"""What is counted of texts, by vLLM's names, so that its dashboards and scalers find them.

All is observed in the event loop. Times are those at which the event loop has a token, so that they
hold the wait in the queue and the reading of the prompt.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from predictors.openai.abilities import Generation, Piece
from predictors.serving.errors import RequestError
from predictors.serving.metrics import Histogram
from predictors.serving.metrics.custom import expose
from predictors.serving.metrics.histogram import head, labelled

__all__ = ["Counted", "GenerationMetrics", "Load"]

_FIRST: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
)  # fmt: skip
_BETWEEN: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
    5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
)  # fmt: skip
_WHOLE: Final = (
    0.1, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0,
    240.0, 480.0, 960.0, 1920.0, 7680.0,
)  # fmt: skip


class Load(NamedTuple):
    """Texts being made and waiting; `kept` is the share of the batch's tokens that is taken.

    It is None where the engine does not say.
    """

    running: int
    waiting: int
    kept: float | None = None


class GenerationMetrics:
    """Of one model; `load` is asked when somebody reads them."""

    def __init__(self, name: str, load: Callable[[], Load]) -> None:
        self.labels = labelled({"model_name": name})
        self.load = load
        self.tokens = 0
        self.first = Histogram(_FIRST)
        self.between = Histogram(_BETWEEN)
        self.whole = Histogram(_WHOLE)
        self.ended: dict[str, int] = {"stop": 0, "length": 0, "abort": 0, "error": 0}
        self._name = name

    def show(self) -> None:
        """From now on they are in ``/metrics``, instead of another's of that name."""
        _shown[self._name] = self
        expose("generation", _lines)

    def hide(self) -> None:
        """The model is gone."""
        if _shown.get(self._name) is self:
            del _shown[self._name]


class Counted:
    """A `Generation` whose tokens, times and end are counted."""

    def __init__(
        self,
        generation: Generation,
        metrics: GenerationMetrics,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._generation = generation
        self._metrics = metrics
        self._clock = clock
        self._started = clock()
        self._over = False

    @property
    def prompt_tokens(self) -> int:
        """How many tokens the prompt has."""
        return self._generation.prompt_tokens

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """The pieces, as they come. Raises `RequestError`."""
        before = 0.0
        try:
            async for piece in self._generation:
                if piece.tokens:
                    before = self._told(piece.tokens, before)
                if piece.finish is not None:
                    self._end(piece.finish)
                yield piece
        except RequestError:
            self._end("error")
            raise
        finally:
            self.close()

    def close(self) -> None:
        """Nobody wants the rest."""
        self._end("abort")
        self._generation.close()

    def _told(self, tokens: int, before: float) -> float:
        """Count tokens that came after the time `before`, or first. Returns the time it is."""
        now = self._clock()
        metrics = self._metrics
        metrics.tokens += tokens
        if not before:
            metrics.first.observe(now - self._started)
        else:
            metrics.between.observe((now - before) / tokens)
        return now

    def _end(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        self._metrics.ended[reason] += 1
        if reason in ("stop", "length"):
            self._metrics.whole.observe(self._clock() - self._started)


_shown: Final[WeakValueDictionary[str, GenerationMetrics]] = WeakValueDictionary()


def _lines() -> Iterator[str]:
    shown = list(_shown.values())
    if not shown:
        return
    loads = [(each.labels, each.load()) for each in shown]
    yield from _numbers("num_requests_running", [(at, load.running) for at, load in loads])
    yield from _numbers("num_requests_waiting", [(at, load.waiting) for at, load in loads])
    kept = [(at, load.kept) for at, load in loads if load.kept is not None]
    yield from _numbers("kv_cache_usage_perc", kept)
    yield from _numbers("generation_tokens_total", [(e.labels, e.tokens) for e in shown])
    ended = [
        (f'{each.labels},finished_reason="{reason}"', count)
        for each in shown
        for reason, count in each.ended.items()
    ]
    yield from _numbers("request_success_total", ended)
    for name, (text, of) in _HISTOGRAMS.items():
        yield from head(f"vllm:{name}", "histogram", text)
        for each in shown:
            yield from of(each).lines(f"vllm:{name}", each.labels)


_NUMBERS: Final[Mapping[str, str]] = {
    "num_requests_running": "Texts being made.",
    "num_requests_waiting": "Texts that wait for a place in the batch.",
    "kv_cache_usage_perc": "Tokens kept for texts in the making, as a share of the most.",
    "generation_tokens_total": "Tokens made.",
    "request_success_total": "Texts by how they ended: stop, length, abort or error.",
}
_HISTOGRAMS: Final[Mapping[str, tuple[str, Callable[[GenerationMetrics], Histogram]]]] = {
    "time_to_first_token_seconds": (
        "Seconds until the first token of a text.",
        lambda each: each.first,
    ),
    "inter_token_latency_seconds": (
        "Seconds from one token of a text to the next.",
        lambda each: each.between,
    ),
    "e2e_request_latency_seconds": (
        "Seconds until a text was complete.",
        lambda each: each.whole,
    ),
}


def _numbers(name: str, values: Sequence[tuple[str, float]]) -> Iterator[str]:
    kind = "counter" if name.endswith("_total") else "gauge"
    yield from head(f"vllm:{name}", kind, _NUMBERS[name])
    for labels, value in values:
        yield f"vllm:{name}{{{labels}}} {value!r}"
