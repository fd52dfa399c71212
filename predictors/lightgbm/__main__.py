"""``python -m predictors.lightgbm``: serve a model of LightGBM, or wait warm for one."""

import sys

from predictors.lightgbm.runtime import RUNTIME
from predictors.serving.cli import main
from predictors.serving.leaving import leave

if __name__ == "__main__":
    leave(main(sys.argv[1:], RUNTIME))
