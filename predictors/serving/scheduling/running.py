"""Calling a model for one request or for several joined; errors become `RequestError`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

from predictors.serving.errors import InferenceError, RequestError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import Model
from predictors.serving.scheduling.joining import SplitError, cut_back, join, rows, split
from predictors.serving.tensors import Tensor

__all__ = ["Ran", "failure", "infer", "run_all"]

_log = logging.getLogger(__name__)

Outcome = InferenceResponse | RequestError


class Ran(NamedTuple):
    """What became of a batch, in the order of its requests, and the seconds of one call.

    `splits` is False where the model's outputs turned out not to follow the rows of its inputs.
    """

    outcomes: list[Outcome]
    seconds: float
    splits: bool = True


def infer(model: Model, inputs: Sequence[Tensor], wanted: Sequence[str] = ()) -> list[Tensor]:
    """Run the model; whatever it raises beyond `RequestError` becomes an `InferenceError`.

    The client is told the kind of failure only; the whole of it is in the log.
    """
    try:
        return model.predict(inputs, wanted)
    except RequestError:
        raise
    except Exception as error:
        raise failure(model, error) from error


def failure(model: Model, error: Exception) -> InferenceError:
    """Log what a model raised; the error its client is told."""
    _log.error("model %s failed", model.name, exc_info=error)
    return InferenceError(
        f"Model {model.name} failed with {type(error).__name__}; see the predictor's log."
    )


def run_all(model: Model, requests: Sequence[InferenceRequest]) -> Ran:
    """Run requests that are joinable as one call.

    A batch that fails is asked again one by one, so that one bad request does not fail its
    neighbours.
    """
    if len(requests) > 1:
        started = perf_counter()
        try:
            outputs = model.predict(join(requests, model.padding), requests[0].wanted)
            seconds = perf_counter() - started
            parts = split(outputs, [rows(request) for request in requests])
            if model.padding and model.trimmed:
                parts = cut_back(parts, requests, model.padding, model.trimmed)
            return Ran([InferenceResponse(part, predict=seconds) for part in parts], seconds)
        except SplitError as error:
            _log.warning("model %s is not batched any more: %s", model.name, error)
            return _one_by_one(model, requests, splits=False)
        except Exception as error:
            _log.debug("model %s failed on a batch of %d: %s", model.name, len(requests), error)
    return _one_by_one(model, requests)


def _one_by_one(model: Model, requests: Sequence[InferenceRequest], *, splits: bool = True) -> Ran:
    outcomes: list[Outcome] = []
    seconds = 0.0
    for request in requests:
        started = perf_counter()
        try:
            outputs = infer(model, request.inputs, request.wanted)
            seconds = perf_counter() - started
            outcomes.append(InferenceResponse(outputs, predict=seconds))
        except RequestError as error:
            seconds = perf_counter() - started
            outcomes.append(error)
    return Ran(outcomes, seconds, splits)
