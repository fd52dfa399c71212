"""scikit-learn's naive Bayes: joint log likelihoods, then labels and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictors.twins.artifact import Operation
from predictors.twins.translation.base import Heads, Translated, classes_of, operation, reals

__all__ = ["bernoulli", "complement", "gaussian", "multinomial"]


def gaussian(estimator: Any) -> Translated:
    """`GaussianNB`."""
    base = operation(
        "gaussian",
        means=reals(estimator, "theta_"),
        variances=reals(estimator, "var_"),
        priors=np.log(reals(estimator, "class_prior_")),
    )
    return _likely(estimator, [base])


def multinomial(estimator: Any) -> Translated:
    """`MultinomialNB`."""
    weights, prior = reals(estimator, "feature_log_prob_"), reals(estimator, "class_log_prior_")
    return _likely(estimator, [operation("linear", weights=weights, intercept=prior)])


def complement(estimator: Any) -> Translated:
    """`ComplementNB`, which looks at the prior of a single class only."""
    weights, prior = reals(estimator, "feature_log_prob_"), reals(estimator, "class_log_prior_")
    intercept = prior if len(prior) == 1 else np.zeros(len(prior))
    return _likely(estimator, [operation("linear", weights=weights, intercept=intercept)])


def bernoulli(estimator: Any) -> Translated:
    """`BernoulliNB`."""
    logs, prior = reals(estimator, "feature_log_prob_"), reals(estimator, "class_log_prior_")
    absent = np.log(1 - np.exp(logs))
    base = [operation("linear", weights=logs - absent, intercept=prior + absent.sum(axis=1))]
    if estimator.binarize is not None:
        base.insert(0, operation("binarize", threshold=float(estimator.binarize)))
    return _likely(estimator, base)


def _likely(estimator: Any, base: Sequence[Operation]) -> Translated:
    heads: Heads = {
        "predict": [[operation("best", classes=classes_of(estimator))]],
        "predict_proba": [[operation("log_normalized"), operation("exp")]],
        "predict_log_proba": [[operation("log_normalized")]],
    }
    return Translated(base, heads)
