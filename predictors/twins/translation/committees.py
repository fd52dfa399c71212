"""scikit-learn's estimators made of others: votes, means, stacks, calibration."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.agreement import Tolerance, close
from predictors.twins.artifact import Operation
from predictors.twins.operations import AskTheOriginal, chained
from predictors.twins.translation.base import (
    Translated,
    UntranslatableError,
    classes_of,
    operation,
    reals,
)
from predictors.twins.translation.ensembles import bagged

__all__ = ["COMMITTEES", "Translate"]

Translate = Callable[[Any], Translated]

_SAMPLE: Final = 64


def _member(estimator: Any, method: str, translate: Translate) -> list[Operation]:
    """The steps of a member's method, that of its ways which gives the member's own answers."""
    translated = translate(estimator)
    width = int(estimator.n_features_in_)
    random = np.random.default_rng(0)
    rows = random.normal(scale=10.0 ** random.integers(-1, 3, (_SAMPLE, 1)), size=(_SAMPLE, width))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        wanted = np.asarray(getattr(estimator, method)(rows))
        for way in translated.heads.get(method, ()):
            steps = [*translated.base, *way]
            try:
                if close(wanted, chained(steps)(rows), Tolerance()):
                    return steps
            except (AskTheOriginal, ValueError):
                continue
    raise UntranslatableError(f"{method} of its {type(estimator).__name__} has no twin")


def _scores(estimator: Any, translate: Translate) -> list[Operation]:
    """A member's decision values, else its probabilities; of two classes those of the second."""
    if hasattr(estimator, "decision_function"):
        return _member(estimator, "decision_function", translate)
    steps = _member(estimator, "predict_proba", translate)
    second = [operation("take", columns=np.array([1]))] if len(estimator.classes_) == 2 else []
    return [*steps, *second]


def _blend(
    members: Sequence[Sequence[Operation]],
    takes: Sequence[Array],
    how: str,
    weights: Sequence[float] | None = None,
) -> Operation:
    branches = [{"take": take, "steps": steps} for take, steps in zip(takes, members, strict=True)]
    return operation("blend", branches=branches, how=how, weights=weights)


def _all(estimator: Any, members: Sequence[Any]) -> list[Array]:
    return [np.arange(int(estimator.n_features_in_))] * len(members)


def _weights(estimator: Any) -> list[float] | None:
    told = estimator._weights_not_none
    return None if told is None else [float(each) for each in told]


def _voting_classifier(estimator: Any, translate: Translate) -> Translated:
    soft = estimator.voting == "soft"
    method, how = ("predict_proba", "mean") if soft else ("predict", "votes")
    members = [_member(each, method, translate) for each in estimator.estimators_]
    base = _blend(members, _all(estimator, members), how, _weights(estimator))
    heads = {"predict": [[operation("best", classes=classes_of(estimator))]]}
    if soft:
        heads["predict_proba"] = [[operation("same")]]
    return Translated([base], heads)


def _voting_regressor(estimator: Any, translate: Translate) -> Translated:
    members = [_member(each, "predict", translate) for each in estimator.estimators_]
    base = _blend(members, _all(estimator, members), "mean", _weights(estimator))
    return Translated([base], {"predict": [[operation("same")]]})


def _bagging_classifier(estimator: Any, translate: Translate) -> Translated:
    classes = classes_of(estimator)
    if any(len(each.classes_) != len(classes) for each in estimator.estimators_):
        raise UntranslatableError("some of its estimators have not seen all classes")
    heads = {
        "predict": [[operation("best", classes=classes)]],
        "predict_proba": [[operation("same")]],
        "predict_log_proba": [[operation("log")]],
    }
    return Translated([_bag(estimator, "predict_proba", translate)], heads)


def _bagging_regressor(estimator: Any, translate: Translate) -> Translated:
    if int(getattr(estimator.estimators_[0], "n_outputs_", 1)) > 1:
        raise UntranslatableError("BaggingRegressor has several outputs")
    base = _bag(estimator, "predict", translate)
    return Translated([base], {"predict": [[operation("flat")]]})


def _bag(estimator: Any, method: str, translate: Translate) -> Operation:
    members = estimator.estimators_
    if all(type(each) in _trees() for each in members):
        return bagged(estimator)
    steps = [_member(each, method, translate) for each in members]
    return _blend(steps, estimator.estimators_features_, "mean")


def _trees() -> tuple[type, ...]:
    from sklearn.tree import (
        DecisionTreeClassifier,
        DecisionTreeRegressor,
        ExtraTreeClassifier,
        ExtraTreeRegressor,
    )

    return DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor


def _one_versus_rest(estimator: Any, translate: Translate) -> Translated:
    classes, parts = classes_of(estimator), estimator.estimators_
    if estimator.multilabel_:
        raise UntranslatableError("OneVsRestClassifier has several labels a row")
    takes = _all(estimator, parts)
    scores = _blend([_scores(each, translate) for each in parts], takes, "side")
    binary = len(parts) == 1
    by_score = hasattr(parts[0], "decision_function")
    word = "best" if not binary else "above" if by_score else "majority"
    heads = {"predict": [[scores, operation(word, classes=classes)]]}
    if by_score:
        heads["decision_function"] = [[scores, operation("flat" if binary else "same")]]
    if hasattr(parts[0], "predict_proba"):
        second = operation("take", columns=np.array([1]))
        members = [[*_member(each, "predict_proba", translate), second] for each in parts]
        ways = [operation("pair")] if binary else []
        proba = [_blend(members, takes, "side"), *ways, operation("shares")]
        heads["predict_proba"] = [proba]
    return Translated([operation("same")], heads)


def _calibrated(estimator: Any, translate: Translate) -> Translated:
    classes = classes_of(estimator)
    members = []
    for each in estimator.calibrated_classifiers_:
        inner = each.estimator
        if each.method not in ("sigmoid", "isotonic") or len(inner.classes_) != len(classes):
            raise UntranslatableError("its calibration is of a kind that is not known here")
        curves = [_curve(calibrator) for calibrator in each.calibrators]
        members.append([*_scores(inner, translate), operation("calibrated", curves=curves)])
    heads = {
        "predict": [[operation("best", classes=classes)]],
        "predict_proba": [[operation("same")]],
    }
    width = np.arange(int(estimator.n_features_in_))
    return Translated([_blend(members, [width] * len(members), "mean")], heads)


def _curve(calibrator: Any) -> Mapping[str, Any]:
    if hasattr(calibrator, "a_"):
        return {"slope": float(calibrator.a_), "offset": float(calibrator.b_)}
    return {"x": reals(calibrator, "X_thresholds_"), "y": reals(calibrator, "y_thresholds_")}


def _stacking(estimator: Any, translate: Translate) -> Translated:
    """A last estimator over the answers of the first ones, and over the rows themselves."""
    everything = np.arange(int(estimator.n_features_in_))
    branches = []
    for each, method in zip(estimator.estimators_, estimator.stack_method_, strict=True):
        steps = _member(each, method, translate)
        if method == "predict_proba" and len(each.classes_) == 2:
            steps.append(operation("take", columns=np.array([1])))
        branches.append({"take": everything, "steps": [*steps, operation("upright")]})
    if estimator.passthrough:
        branches.append({"take": everything, "steps": [operation("same")]})
    last = translate(estimator.final_estimator_)
    heads = dict(last.heads)
    if hasattr(estimator, "classes_"):
        named = operation("named", classes=classes_of(estimator))
        heads["predict"] = [[*way, named] for way in heads["predict"]]
    return Translated([operation("columns", branches=branches), *last.base], heads)


_INVERSES: Final = ("exp", "expm1", "square", "sqrt")


def _target(estimator: Any, translate: Translate) -> Translated:
    """A regressor whose answers are turned back by a scaler, or by a function of numpy's."""
    inner = _member(estimator.regressor_, "predict", translate)
    if estimator._training_dim != 1:
        raise UntranslatableError("TransformedTargetRegressor has several outputs")
    turn = estimator.transformer_
    name = type(turn).__name__
    if name == "StandardScaler":
        back = [operation("times", by=reals(turn, "scale_"))] if turn.with_std else []
        back += [operation("plus", by=reals(turn, "mean_"))] if turn.with_mean else []
    elif name == "FunctionTransformer":
        inverse = turn.inverse_func
        if inverse is not None and not isinstance(inverse, np.ufunc):
            raise UntranslatableError("its target has a function of the user's own")
        if inverse is not None and inverse.__name__ not in _INVERSES:
            raise UntranslatableError(f"there is no translation of {inverse.__name__}")
        back = [] if inverse is None else [operation(inverse.__name__)]
    else:
        raise UntranslatableError(f"there is no way back from {name}")
    return Translated([*inner, *back], {"predict": [[operation("flat")]]})


COMMITTEES: Final[Mapping[str, Callable[[Any, Translate], Translated]]] = {
    "VotingClassifier": _voting_classifier,
    "VotingRegressor": _voting_regressor,
    "BaggingClassifier": _bagging_classifier,
    "BaggingRegressor": _bagging_regressor,
    "OneVsRestClassifier": _one_versus_rest,
    "CalibratedClassifierCV": _calibrated,
    "StackingClassifier": _stacking,
    "StackingRegressor": _stacking,
    "TransformedTargetRegressor": _target,
}
"""By name; each is given what translates its members."""
