"""``python -m predictors.xgboost``: serve a model of XGBoost, or wait warm for one."""

import sys

from predictors.serving.cli import main
from predictors.serving.leaving import leave
from predictors.xgboost.runtime import RUNTIME

if __name__ == "__main__":
    leave(main(sys.argv[1:], RUNTIME))
