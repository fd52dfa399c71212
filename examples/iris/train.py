"""Trains two iris classifiers, where the example InferenceServices look for them.

The manifests say `pvc://models/iris`, as on a cluster. On the embedded engine a claim is a folder,
$ROUSE_HOME/volumes/<namespace>/<claim>; that is where the models go unless --out says otherwise.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

MODELS: dict[str, Callable[[], Any]] = {
    "iris": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "iris-v2": lambda: DecisionTreeClassifier(max_depth=3, random_state=0),
}


def main() -> None:
    home = Path(os.environ.get("ROUSE_HOME") or Path.home() / ".rouse")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=home / "volumes" / "default" / "models")
    out = parser.parse_args().out
    features, labels = load_iris(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(features, labels, random_state=0)
    for name, make in MODELS.items():
        model = make().fit(train_x, train_y)
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        joblib.dump(model, folder / "model.joblib")
        print(f"{folder / 'model.joblib'}: accuracy {model.score(test_x, test_y):.3f}")


if __name__ == "__main__":
    main()
