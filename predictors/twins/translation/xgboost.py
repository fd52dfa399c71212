"""XGBoost's boosters of trees, and scikit-learn wrappers around them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson

from predictors.serving.tensors import Array
from predictors.twins.artifact import Operation
from predictors.twins.translation.base import (
    Heads,
    Translated,
    UntranslatableError,
    operation,
)
from predictors.twins.translation.ensembles import Nodes, table

__all__ = ["translate_booster", "translate_wrapper"]

_CLOSE: Final = 1e-4


def translate_booster(booster: Any) -> Translated:
    """A native booster: ``predict`` and ``margin``. Raises `UntranslatableError`."""
    base, outputs = _trees(booster)
    narrow = operation("single")
    shape = operation("flat" if outputs == 1 else "same")
    ways: list[list[Operation]] = [[shape], [shape, operation("expit")], [shape, operation("exp")]]
    if outputs > 1:
        ways += [[operation("softmax")], [operation("best", classes=np.arange(float(outputs)))]]
    heads = {"predict": [[*way, narrow] for way in ways], "margin": [[shape, narrow]]}
    return Translated([base], heads)


def translate_wrapper(wrapper: Any) -> Translated:
    """An `XGBClassifier`, `XGBRegressor` or the like. Raises `UntranslatableError`."""
    cls = type(wrapper)
    if not cls.__module__.startswith("xgboost."):
        raise UntranslatableError(f"{cls.__module__}.{cls.__name__} is not XGBoost's own")
    booster = wrapper.get_booster()
    if not hasattr(wrapper, "predict_proba"):
        return translate_booster(booster)
    base, outputs = _trees(booster)
    narrow = operation("single")
    classes = np.arange(max(2, outputs))
    heads: Heads
    if outputs == 1:
        heads = {
            "predict": [[operation("expit"), narrow, operation("majority", classes=classes)]],
            "predict_proba": [[operation("expit"), narrow, operation("pair"), narrow]],
        }
    else:
        heads = {
            "predict": [[operation("best", classes=classes)]],
            "predict_proba": [[operation("softmax"), narrow]],
        }
    return Translated([base], heads)


def _trees(booster: Any) -> tuple[Operation, int]:
    """All trees as one operation, and the number of its outputs."""
    model = orjson.loads(bytes(booster.save_raw("json")))["learner"]
    gradient = model["gradient_booster"]
    if gradient["name"] != "gbtree":
        raise UntranslatableError(f"there is no translation of XGBoost's {gradient['name']}")
    listed, groups = gradient["model"]["trees"], gradient["model"]["tree_info"]
    outputs = max(groups, default=0) + 1
    if not listed or groups != [index % outputs for index in range(len(groups))]:
        raise UntranslatableError("its trees come in an order not known here")
    trees = [_nodes(each) for each in listed]
    made = table(trees, np.zeros(outputs), single=True, strict=True)
    initial = _initial(booster, made, model, outputs)
    parameters = {**made.parameters, "initial": initial, "narrow": True}
    return Operation(made.name, parameters), outputs


def _nodes(tree: Mapping[str, Any]) -> Nodes:
    if any(tree.get("split_type") or ()):
        raise UntranslatableError("it has categorical columns")
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    leaf, itself = left < 0, np.arange(len(left))
    conditions = np.array(tree["split_conditions"], dtype=np.float32).astype(np.float64)
    return Nodes(
        np.where(leaf, 0, np.array(tree["split_indices"])),
        conditions,
        np.where(leaf, itself, left),
        np.where(leaf, itself, right),
        np.array(tree["default_left"]).astype(bool),
        np.where(leaf, conditions, 0.0)[:, None],
    )


def _initial(booster: Any, trees: Operation, model: Mapping[str, Any], outputs: int) -> Array:
    """The score before any tree: what the booster gives to a row, less its trees.

    Where a link of ``base_score`` is the same number, that one is exact.
    """
    from predictors.twins.operations import chained

    row = np.zeros((1, booster.num_features()))
    margin = np.ravel(booster.inplace_predict(row, predict_type="margin", validate_features=False))
    measured = margin.astype(np.float64) - chained([trees])(row).ravel()
    told = str(model["learner_model_param"]["base_score"]).strip("[]").split(",")
    scores = np.resize([float(each) for each in told], outputs)
    return np.array([_nearest(*pair) for pair in zip(measured, scores, strict=True)])


def _nearest(measured: float, score: float) -> float:
    links: Sequence[float] = (
        score,
        math.log(score / (1 - score)) if 0 < score < 1 else score,
        math.log(score) if score > 0 else score,
    )
    best = min(links, key=lambda each: abs(each - measured))
    return float(np.float32(best if abs(best - measured) < _CLOSE else measured))
