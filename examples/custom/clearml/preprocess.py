# mypy: ignore-errors
"""Steps around a scikit-learn model, written for ClearML-Serving: nothing here knows Rouse."""

from collections.abc import Callable
from typing import Any

import numpy as np


class Preprocess:
    def __init__(self):
        pass

    def preprocess(
        self, body: dict, state: dict, collect_custom_statistics_fn: Callable | None = None
    ) -> Any:
        state["id"] = body.get("id")
        if collect_custom_statistics_fn:
            collect_custom_statistics_fn({"x0": body["x0"], "kind": "flower"})
        return np.array([[body["x0"], body["x1"]]])

    def postprocess(
        self, data: Any, state: dict, collect_custom_statistics_fn: Callable | None = None
    ) -> dict:
        return {"id": state["id"], "y": data.tolist()[0]}
