"""Trains an iris classifier, a LightGBM model, in the claim that isvc.yaml names.

On the embedded engine a claim is a folder, $ROUSE_HOME/volumes/<namespace>/<claim>; that is where
the model goes unless --out says otherwise.
"""

import argparse
import os
from pathlib import Path

import lightgbm
from sklearn.datasets import load_iris


def main() -> None:
    home = Path(os.environ.get("ROUSE_HOME") or Path.home() / ".rouse")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=home / "volumes" / "default" / "models")
    folder = parser.parse_args().out / "iris-lightgbm"
    folder.mkdir(parents=True, exist_ok=True)
    rows, classes = load_iris(return_X_y=True)
    settings = {"objective": "multiclass", "num_class": 3, "verbose": -1}
    booster = lightgbm.train(settings, lightgbm.Dataset(rows, classes), 10)
    booster.save_model(folder / "model.txt")
    print(folder)


if __name__ == "__main__":
    main()
