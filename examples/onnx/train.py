"""Trains an iris classifier, a ONNX model, in the claim that isvc.yaml names.

On the embedded engine a claim is a folder, $ROUSE_HOME/volumes/<namespace>/<claim>; that is where
the model goes unless --out says otherwise.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def main() -> None:
    home = Path(os.environ.get("ROUSE_HOME") or Path.home() / ".rouse")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=home / "volumes" / "default" / "models")
    folder = parser.parse_args().out / "iris-onnx"
    folder.mkdir(parents=True, exist_ok=True)
    rows, classes = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(rows, classes)
    converted = to_onnx(model, rows[:1].astype(np.float32), options={"zipmap": False})
    (folder / "model.onnx").write_bytes(converted.SerializeToString())
    print(folder)


if __name__ == "__main__":
    main()
