"""Trains an iris classifier, a XGBoost model, in the claim that isvc.yaml names.

On the embedded engine a claim is a folder, $ROUSE_HOME/volumes/<namespace>/<claim>; that is where
the model goes unless --out says otherwise.
"""

import argparse
import os
from pathlib import Path

import xgboost
from sklearn.datasets import load_iris


def main() -> None:
    home = Path(os.environ.get("ROUSE_HOME") or Path.home() / ".rouse")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=home / "volumes" / "default" / "models")
    folder = parser.parse_args().out / "iris-xgboost"
    folder.mkdir(parents=True, exist_ok=True)
    rows, classes = load_iris(return_X_y=True)
    settings = {"objective": "multi:softprob", "num_class": 3}
    booster = xgboost.train(settings, xgboost.DMatrix(rows, classes), 10)
    booster.save_model(folder / "model.json")
    print(folder)


if __name__ == "__main__":
    main()
