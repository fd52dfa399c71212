"""What the server counts of its models, by KServe's and MLServer's names.

Everything here is observed from the event loop only, so nothing is locked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from predictors.serving.metrics.custom import custom_lines
from predictors.serving.metrics.histogram import SIZES, STARTS, Histogram, head, labelled
from predictors.serving.metrics.process import process_lines

if TYPE_CHECKING:
    from predictors.serving.inference import InferenceResponse

__all__ = ["ModelMetrics", "ServerMetrics", "VersionMetrics"]


class VersionMetrics:
    """Outcomes of one version of a model, by MLServer's names; all it is told its model is, too."""

    __slots__ = ("_model", "failures", "labels", "seconds", "successes")

    def __init__(self, model: ModelMetrics, version: str) -> None:
        self._model = model
        self.labels = labelled({"model": model.name, "version": version})
        self.successes = 0
        self.failures = 0
        self.seconds = 0.0

    def succeeded(self, response: InferenceResponse) -> None:
        """Count an answered request."""
        self.successes += 1
        self.seconds += response.queue + response.predict
        self._model.succeeded(response)

    def failed(self, status: int) -> None:
        """Count a request answered with an error."""
        self.failures += 1
        self._model.failed(status)


class ModelMetrics:
    """Latencies and outcomes of one model; those of its versions are added up.

    ``on_answer`` is called once, with its first answer, and told the seconds that it took.
    """

    __slots__ = (
        "batch_rows",
        "explain",
        "failures",
        "hits",
        "labels",
        "misses",
        "name",
        "on_answer",
        "postprocess",
        "predict",
        "preprocess",
        "queue",
        "queue_length",
        "versions",
    )

    def __init__(self, name: str, on_answer: Callable[[float], None] | None = None) -> None:
        self.name = name
        self.on_answer = on_answer
        self.labels = labelled({"model_name": name})
        self.preprocess = Histogram()
        self.queue = Histogram()
        self.predict = Histogram()
        self.postprocess = Histogram()
        self.explain = Histogram()
        self.batch_rows = Histogram(SIZES)
        self.queue_length = Histogram((0.0, *SIZES))
        self.failures: dict[int, int] = {}
        self.versions: dict[str, VersionMetrics] = {}
        self.hits = 0
        self.misses = 0

    def succeeded(self, response: InferenceResponse) -> None:
        """Observe the timings of an answered request."""
        if self.on_answer is not None:
            told, self.on_answer = self.on_answer, None
            told(response.preprocess + response.queue + response.predict)
        self.preprocess.observe(response.preprocess)
        self.predict.observe(response.predict)
        self.postprocess.observe(response.postprocess)
        if response.queue:
            self.queue.observe(response.queue)

    def failed(self, status: int) -> None:
        """Count a request answered with an error."""
        self.failures[status] = self.failures.get(status, 0) + 1

    @property
    def successes(self) -> int:
        """The requests that its versions have answered."""
        return sum(each.successes for each in self.versions.values())

    def version(self, version: str) -> VersionMetrics:
        """The outcomes of a version, from now on shown."""
        found = self.versions.get(version)
        if found is None:
            found = self.versions[version] = VersionMetrics(self, version)
        return found

    def started(self, rows: int, waiting: int) -> None:
        """Count a call of the model that was taken from its queue, and what still waits."""
        self.batch_rows.observe(rows)
        self.queue_length.observe(waiting)


class ServerMetrics:
    """All a server counts; `in_flight` is read when the text is asked for.

    `phase_seconds` are the phases of its start; ``on_answer`` is called with the first answer of
    each model.
    """

    def __init__(
        self, names: Sequence[str] = (), *, on_answer: Callable[[], None] | None = None
    ) -> None:
        self._on_answer = on_answer
        self._first: tuple[float, float] | None = None
        """When the first request that was answered came, and when it was, by `perf_counter`."""
        self._ready_at = 0.0
        self.models = {name: ModelMetrics(name, self._answered) for name in names}
        self.in_flight = 0
        self.phase_seconds: dict[str, float] = {}
        self.start_seconds = 0.0
        """All of the start; 0 before it is over."""

    def started(self, seconds: float) -> None:
        """Take in that the start is over, and how long it took."""
        self.start_seconds = seconds
        self._ready_at = perf_counter()

    def model(self, name: str) -> ModelMetrics:
        """The metrics of a model, from now on shown."""
        metrics = self.models.get(name)
        if metrics is None:
            metrics = self.models[name] = ModelMetrics(name, self._answered)
        return metrics

    def _answered(self, took: float) -> None:
        """Take in the first answer of a model; `took` are its seconds."""
        if self._first is None:
            now = perf_counter()
            self._first = (now - took, now)
        if self._on_answer is not None:
            self._on_answer()

    def text(self) -> bytes:
        """The exposition, version 0.0.4."""
        lines = [
            *self._histograms(),
            *self._starts(),
            *self._counters(),
            *self._gauges(),
            *process_lines(),
            *custom_lines(),
        ]
        return ("\n".join(lines) + "\n").encode()

    def _histograms(self) -> Iterator[str]:
        for part, text in _HISTOGRAMS.items():
            name = part if part in _NAMES else f"request_{part}_seconds"
            yield from head(name, "histogram", text)
            for model in self.models.values():
                histogram: Histogram = getattr(model, _NAMES.get(part, part))
                yield from histogram.lines(name, model.labels)

    def _starts(self) -> Iterator[str]:
        """One observation each: added up over processes they are how long starts take."""
        yield from head("cold_start_seconds", "histogram", "Seconds of the start, by its phases.")
        phases = {**self.phase_seconds, "total": self.start_seconds}
        for phase, seconds in phases.items() if self.start_seconds else ():
            histogram = Histogram(STARTS)
            histogram.observe(seconds)
            yield from histogram.lines("cold_start_seconds", labelled({"phase": phase}))

    def _counters(self) -> Iterator[str]:
        models = self.models.values()
        yield from head(
            "request_failures_total", "counter", "Requests answered with an error, by status."
        )
        for model in models:
            for status, count in sorted(model.failures.items()):
                yield f'request_failures_total{{{model.labels},status="{status}"}} {count}'
        yield from self._outcomes()
        for name, text, counts in (
            ("response_cache_hits", "Answers given from the cache.", [m.hits for m in models]),
            ("response_cache_misses", "Answers the cache lacked.", [m.misses for m in models]),
        ):
            yield from head(f"{name}_total", "counter", text)
            for model, count in zip(models, counts, strict=True):
                yield f"{name}_total{{{labelled({'model': model.name})}}} {count}"

    def _outcomes(self) -> Iterator[str]:
        versions = [each for model in self.models.values() for each in model.versions.values()]
        name = "model_infer_request_success_total"
        yield from head(name, "counter", "Requests answered.")
        for each in versions:
            yield f"{name}{{{each.labels}}} {each.successes}"
        name = "model_infer_request_failure_total"
        yield from head(name, "counter", "Requests answered with an error.")
        for each in versions:
            yield f"{name}{{{each.labels}}} {each.failures}"
        name = "model_infer_request_duration"
        yield from head(name, "summary", "Seconds in the queue and in the model, if answered.")
        for each in versions:
            yield f"{name}_sum{{{each.labels}}} {each.seconds!r}"
            yield f"{name}_count{{{each.labels}}} {each.successes}"

    def _gauges(self) -> Iterator[str]:
        yield from head(
            "requests_in_flight", "gauge", "Inference requests accepted and not yet answered."
        )
        yield f"requests_in_flight {self.in_flight}"
        yield from head("startup_phase_seconds", "gauge", "Seconds each phase of the start took.")
        for phase, seconds in self.phase_seconds.items():
            yield f'startup_phase_seconds{{phase="{phase}"}} {seconds!r}'
        text = "Seconds from the end of the start to the first answered request, and to its answer."
        yield from head("first_answer_seconds", "gauge", text)
        if self._first is not None and self.start_seconds:
            for part, at in zip(("asked", "answered"), self._first, strict=True):
                # Of several models one may answer before the start is over.
                yield f'first_answer_seconds{{part="{part}"}} {max(0.0, at - self._ready_at)!r}'


_HISTOGRAMS = {
    "preprocess": "Seconds a request spent in preprocess.",
    "queue": "Seconds a request waited for its turn, where it had to.",
    "predict": "Seconds a request spent in predict.",
    "postprocess": "Seconds a request spent in postprocess.",
    "explain": "Seconds a request spent in explain.",
    "batch_rows": "Rows of each call of the model that was taken from its queue.",
    "batch_request_queue": "Requests left waiting when a call of the model began.",
}
_NAMES = {"batch_rows": "batch_rows", "batch_request_queue": "queue_length"}
