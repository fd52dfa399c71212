"""``python -m predictors.mlflow``: serve a model of MLflow, or wait warm for one."""

import sys

from predictors.mlflow.runtime import RUNTIME
from predictors.serving.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], RUNTIME))
