"""``python -m predictors.sklearn``: serve a scikit-learn model, or wait warm for one."""

import sys

from predictors.serving.cli import main
from predictors.serving.leaving import leave
from predictors.sklearn.runtime import RUNTIME

if __name__ == "__main__":
    leave(main(sys.argv[1:], RUNTIME))
