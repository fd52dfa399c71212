"""``python -m predictors.onnx``: serve a model of ONNX, or wait warm for one."""

import sys

from predictors.onnx.runtime import RUNTIME
from predictors.serving.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], RUNTIME))
