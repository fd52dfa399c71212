"""``python -m predictors.onnx``: serve a model of ONNX, or wait warm for one."""

import sys

from predictors.onnx.runtime import RUNTIME
from predictors.serving.cli import main
from predictors.serving.leaving import leave

if __name__ == "__main__":
    leave(main(sys.argv[1:], RUNTIME))
