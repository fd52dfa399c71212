"""LightGBM's boosters of numbers, and scikit-learn wrappers around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from predictors.twins.artifact import Operation
from predictors.twins.translation.base import Heads, Translated, UntranslatableError, operation
from predictors.twins.translation.ensembles import Nodes, table

__all__ = ["translate_booster", "translate_wrapper"]


def translate_booster(booster: Any) -> Translated:
    """A native booster: ``predict`` and ``raw_score``. Raises `UntranslatableError`."""
    base, outputs = _trees(booster)
    shape = operation("flat" if outputs == 1 else "same")
    ways = [[shape], [shape, operation("expit")], [shape, operation("exp")]]
    if outputs > 1:
        ways.append([operation("softmax")])
    return Translated([base], {"predict": ways, "raw_score": [[shape]]})


def translate_wrapper(wrapper: Any) -> Translated:
    """An `LGBMClassifier`, `LGBMRegressor` or the like. Raises `UntranslatableError`."""
    cls = type(wrapper)
    if not cls.__module__.startswith("lightgbm."):
        raise UntranslatableError(f"{cls.__module__}.{cls.__name__} is not LightGBM's own")
    if not hasattr(wrapper, "predict_proba"):
        return translate_booster(wrapper.booster_)
    base, outputs = _trees(wrapper.booster_)
    classes = np.asarray(wrapper.classes_)
    heads: Heads
    if outputs == 1:
        heads = {
            "predict": [[operation("expit"), operation("majority", classes=classes)]],
            "predict_proba": [[operation("sigmoid")]],
        }
    else:
        heads = {
            "predict": [[operation("best", classes=classes)]],
            "predict_proba": [[operation("softmax")]],
        }
    return Translated([base], heads)


def _trees(booster: Any) -> tuple[Operation, int]:
    """All trees as one operation, and the number of its outputs."""
    model = booster.dump_model()
    outputs = int(model["num_tree_per_iteration"])
    if model["average_output"] and outputs > 1:
        raise UntranslatableError("it is a random forest of several outputs")
    trees = [_nodes(each["tree_structure"]) for each in model["tree_info"]]
    mean = bool(model["average_output"])
    return table(trees, np.zeros(outputs), single=False, mean=mean), outputs


def _nodes(root: Mapping[str, Any]) -> Nodes:
    """The tree as a table, its root first."""
    waiting, rows, children = [root], list[tuple[int, float, bool, float]](), list[list[int]]()
    for index, node in enumerate(waiting):  # it grows while it is walked
        if "leaf_value" in node:
            rows.append((0, 0.0, True, float(node["leaf_value"])))
            children.append([index, index])
            continue
        if node["decision_type"] != "<=":
            raise UntranslatableError("it has categorical columns")
        if node["missing_type"] == "Zero":
            raise UntranslatableError("it takes zeros for missing values")
        threshold = float(node["threshold"])
        # Where training saw no hole, NaN counts as zero.
        holes = bool(node["default_left"]) if node["missing_type"] == "NaN" else threshold >= 0
        rows.append((int(node["split_feature"]), threshold, holes, 0.0))
        children.append([len(waiting), len(waiting) + 1])
        waiting += [node["left_child"], node["right_child"]]
    feature, thresholds, missing, values = zip(*rows, strict=True)
    sides = np.array(children)
    return Nodes(
        np.array(feature),
        np.array(thresholds, dtype=np.float64),
        sides[:, 0],
        sides[:, 1],
        np.array(missing, dtype=bool),
        np.array(values, dtype=np.float64)[:, None],
    )
