"""Trains four small models of iris flowers, where the InferenceServices of this example look.

The manifests say `pvc://models/<name>`, as on a cluster. On the embedded engine a claim is a
folder, $ROUSE_HOME/volumes/<namespace>/<claim>; the models go there unless --out says otherwise.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier

SEPALS, PETALS = [0, 1], [2, 3]


def _train(features: Any, labels: Any) -> dict[str, Callable[[], Any]]:
    """Return, by name, what trains each model."""
    sepals, petals = features[:, SEPALS], features[:, PETALS]
    return {
        # From all four measures, in two ways.
        "flowers-linear": lambda: LogisticRegression(max_iter=500).fit(features, labels),
        "flowers-tree": lambda: DecisionTreeClassifier(max_depth=3, random_state=0).fit(
            features, labels
        ),
        # From the sepals alone: first the petals they go with, then the species of those.
        "petals": lambda: LinearRegression().fit(sepals, petals),
        "petals-species": lambda: LogisticRegression(max_iter=500).fit(petals, labels),
    }


def main() -> None:
    home = Path(os.environ.get("ROUSE_HOME") or Path.home() / ".rouse")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=home / "volumes" / "default" / "models")
    out = parser.parse_args().out
    features, labels = load_iris(return_X_y=True)
    for name, train in _train(np.asarray(features), labels).items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        joblib.dump(train(), folder / "model.joblib")
        print(folder / "model.joblib")


if __name__ == "__main__":
    main()
