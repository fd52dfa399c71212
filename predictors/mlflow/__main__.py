"""``python -m predictors.mlflow``: serve a model of MLflow, or wait warm for one."""

import sys

from predictors.mlflow.runtime import RUNTIME
from predictors.serving.cli import main
from predictors.serving.leaving import leave

if __name__ == "__main__":
    leave(main(sys.argv[1:], RUNTIME))
