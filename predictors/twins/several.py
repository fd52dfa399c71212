"""Answers of classifiers with several outputs, from their probabilities side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.operations import Step

__all__ = ["each_best", "each_padded"]


def each_best(classes: Sequence[Array]) -> Step:
    """The likeliest label of each output; `classes` are those of each."""
    most = max(len(each) for each in classes)
    counts = [len(each) for each in classes]

    def labels(scores: Array) -> Array:
        parts = scores.reshape(len(scores), len(counts), most)
        made = np.empty((len(scores), len(counts)), classes[0].dtype)
        for output, count in enumerate(counts):
            made[:, output] = classes[output].take(parts[:, output, :count].argmax(axis=1))
        return made

    return labels


def each_padded(counts: Sequence[int]) -> Step:
    """Probabilities as rows x outputs x classes; NaN where an output has fewer classes."""
    most = max(counts)
    beyond = np.arange(most) >= np.array(counts)[:, None]

    def probabilities(scores: Array) -> Array:
        return np.where(beyond, np.nan, scores.reshape(len(scores), len(counts), most))

    return probabilities
