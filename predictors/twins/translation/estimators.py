"""scikit-learn's classifiers and regressors, alone or at the end of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.artifact import Operation
from predictors.twins.translation import bayes, machines, nearest
from predictors.twins.translation.base import (
    Translated,
    UntranslatableError,
    classes_of,
    kind,
    labels_of,
    operation,
    reals,
)
from predictors.twins.translation.committees import COMMITTEES
from predictors.twins.translation.ensembles import (
    forest,
    gradient_boosting,
    histogram_boosting,
    isolation,
    isolation_depth,
    tree,
)
from predictors.twins.translation.transformers import transforming

__all__ = ["translate"]

_LINKS: Final = {"PoissonRegressor": "exp", "GammaRegressor": "exp"}


def translate(estimator: Any) -> Translated:
    """The arithmetic of a fitted estimator or pipeline. Raises `UntranslatableError`."""
    name = kind(estimator)
    if name == "Pipeline":
        before = [each for _, step in estimator.steps[:-1] for each in transforming(step)]
        last = estimator.steps[-1][1]
        if last is None or isinstance(last, str):
            return Translated(before or [operation("same")], {"transform": [[operation("same")]]})
        inner = translate(last)
        return Translated([*before, *inner.base], inner.heads)
    if name in COMMITTEES:
        return COMMITTEES[name](estimator, translate)
    make = _ESTIMATORS.get(name)
    if make is not None:
        return make(estimator)
    if hasattr(estimator, "transform") and not hasattr(estimator, "predict"):
        same = [operation("same")]
        return Translated(transforming(estimator) or same, {"transform": [same]})
    return _linear(estimator, name)


def _linear(estimator: Any, name: str) -> Translated:
    from sklearn.linear_model._base import LinearClassifierMixin, LinearModel

    # A class that does more than its base with its weights fails the check of agreement.
    if isinstance(estimator, LinearClassifierMixin):
        return _classifier(estimator)
    if isinstance(estimator, LinearModel):
        return Translated(_weighted(estimator), {"predict": [[operation("same")]]})
    if name in _LINKS:
        return Translated(_weighted(estimator), {"predict": [[operation(_LINKS[name])]]})
    raise UntranslatableError(f"there is no translation of {name}")


def _weighted(estimator: Any) -> list[Operation]:
    weights, intercept = reals(estimator, "coef_"), reals(estimator, "intercept_")
    return [operation("linear", weights=weights, intercept=intercept)]


def _classifier(estimator: Any) -> Translated:
    classes = classes_of(estimator)
    binary = len(classes) <= 2  # with weights of one or of two dimensions
    label = operation("above" if binary else "best", classes=classes)
    heads: dict[str, list[list[Operation]]] = {
        "predict": [[label]],
        "decision_function": [[operation("flat")] if binary else [operation("same")]],
    }
    ways = ["sigmoid"] if binary else ["softmax", "one_versus_rest"]
    if hasattr(estimator, "predict_proba"):
        heads["predict_proba"] = [[operation(way)] for way in ways]
        # It puts the smallest number in the place of zero, which ordinary rows do not show.
        if type(estimator).__name__ != "LinearDiscriminantAnalysis":
            heads["predict_log_proba"] = [[operation(way), operation("log")] for way in ways]
    return Translated(_weighted(estimator), heads)


def _network(estimator: Any) -> list[Operation]:
    layers = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    made = []
    for index, (weights, bias) in enumerate(layers):
        if weights.dtype != np.float64:
            raise UntranslatableError(f"its weights are {weights.dtype}")
        final = index == len(layers) - 1
        activation = estimator.out_activation_ if final else estimator.activation
        made.append(operation("dense", weights=weights, bias=bias, activation=activation))
    return made


def _network_classifier(estimator: Any) -> Translated:
    classes = classes_of(estimator)
    if estimator.out_activation_ == "softmax":
        label, proba = operation("best", classes=classes), [operation("same")]
    elif estimator.n_outputs_ == 1:
        label, proba = operation("majority", classes=classes), [operation("pair")]
    else:
        raise UntranslatableError("MLPClassifier has several outputs")
    heads = {
        "predict": [[label]],
        "predict_proba": [proba],
        "predict_log_proba": [[*proba, operation("log")]],
    }
    return Translated(_network(estimator), heads)


def _network_regressor(estimator: Any) -> Translated:
    end = operation("flat" if estimator.n_outputs_ == 1 else "same")
    return Translated(_network(estimator), {"predict": [[end]]})


def _tree_classifier(estimator: Any) -> Translated:
    return _voted(estimator, tree(estimator))


def _forest_classifier(estimator: Any) -> Translated:
    return _voted(estimator, forest(estimator))


def _voted(estimator: Any, base: Operation) -> Translated:
    if isinstance(estimator.classes_, list):
        return _voted_each(base, [labels_of(estimator, each) for each in estimator.classes_])
    heads = {
        "predict": [[operation("best", classes=classes_of(estimator))]],
        "predict_proba": [[operation("same")]],
        "predict_log_proba": [[operation("log")]],
    }
    return Translated([base], heads)


def _voted_each(base: Operation, classes: list[Array]) -> Translated:
    padded = operation("each_padded", counts=[len(each) for each in classes])
    heads = {
        "predict": [[operation("each_best", classes=classes)]],
        "predict_proba": [[padded]],
        "predict_log_proba": [[padded, operation("log")]],
    }
    return Translated([base], heads)


def _isolated(estimator: Any) -> Translated:
    depths = operation("over", by=isolation_depth(estimator))
    score = [depths, operation("halved")]
    offset = float(estimator.offset_)
    decision = [*score, operation("minus", by=offset)]
    label = operation("above", classes=np.array([-1, 1]), inclusive=True)
    heads = {
        "predict": [[*decision, label]],
        "decision_function": [decision],
        "score_samples": [score],
    }
    return Translated([isolation(estimator)], heads)


def _boosted_classifier(estimator: Any) -> Translated:
    return _scored(estimator, gradient_boosting(estimator), inclusive=True)


def _histogram_classifier(estimator: Any) -> Translated:
    return _scored(estimator, histogram_boosting(estimator), inclusive=False)


def _scored(estimator: Any, base: Operation, *, inclusive: bool) -> Translated:
    """Labels and probabilities from the raw scores of boosted trees."""
    classes = classes_of(estimator)
    if len(classes) == 2:
        label = operation("above", classes=classes, inclusive=inclusive)
        # The exponential loss's scores are half of the log odds.
        ways = [operation("sigmoid"), operation("sigmoid", factor=2.0)]
        decision = operation("flat")
    else:
        label, ways = operation("best", classes=classes), [operation("softmax")]
        decision = operation("same")
    heads = {
        "predict": [[label]],
        "decision_function": [[decision]],
        "predict_proba": [[way] for way in ways],
        "predict_log_proba": [[way, operation("log")] for way in ways],
    }
    return Translated([base], heads)


def _regressed(make: Callable[[Any], Operation]) -> Callable[[Any], Translated]:
    def translated(estimator: Any) -> Translated:
        # A loss of counts or amounts has a logarithm between its scores and the prediction.
        ways = [[operation("flat")], [operation("flat"), operation("exp")]]
        if getattr(estimator, "n_outputs_", 1) > 1:
            ways = [[operation("same")]]
        return Translated([make(estimator)], {"predict": ways})

    return translated


_ESTIMATORS: Final[Mapping[str, Callable[[Any], Translated]]] = {
    "GaussianNB": bayes.gaussian,
    "KNeighborsClassifier": nearest.neighbours_classifier,
    "KNeighborsRegressor": nearest.neighbours_regressor,
    "NearestCentroid": nearest.centroids,
    "KMeans": nearest.clusters,
    "MiniBatchKMeans": nearest.clusters,
    "MultinomialNB": bayes.multinomial,
    "ComplementNB": bayes.complement,
    "BernoulliNB": bayes.bernoulli,
    "MLPClassifier": _network_classifier,
    "MLPRegressor": _network_regressor,
    "SVC": machines.classifier,
    "NuSVC": machines.classifier,
    "SVR": machines.regressor,
    "NuSVR": machines.regressor,
    "OneClassSVM": machines.one_class,
    "DecisionTreeClassifier": _tree_classifier,
    "ExtraTreeClassifier": _tree_classifier,
    "RandomForestClassifier": _forest_classifier,
    "ExtraTreesClassifier": _forest_classifier,
    "GradientBoostingClassifier": _boosted_classifier,
    "HistGradientBoostingClassifier": _histogram_classifier,
    "IsolationForest": _isolated,
    "DecisionTreeRegressor": _regressed(tree),
    "ExtraTreeRegressor": _regressed(tree),
    "RandomForestRegressor": _regressed(forest),
    "ExtraTreesRegressor": _regressed(forest),
    "GradientBoostingRegressor": _regressed(gradient_boosting),
    "HistGradientBoostingRegressor": _regressed(histogram_boosting),
}
