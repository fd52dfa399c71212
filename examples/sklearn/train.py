"""Trains an iris classifier, a scikit-learn model, in the claim that isvc.yaml names.

On the embedded engine a claim is a folder, $ROUSE_HOME/volumes/<namespace>/<claim>; that is where
the model goes unless --out says otherwise.
"""

import argparse
import os
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def main() -> None:
    home = Path(os.environ.get("ROUSE_HOME") or Path.home() / ".rouse")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=home / "volumes" / "default" / "models")
    folder = parser.parse_args().out / "iris-sklearn"
    folder.mkdir(parents=True, exist_ok=True)
    rows, classes = load_iris(return_X_y=True)
    joblib.dump(LogisticRegression(max_iter=500).fit(rows, classes), folder / "model.joblib")
    print(folder)


if __name__ == "__main__":
    main()
