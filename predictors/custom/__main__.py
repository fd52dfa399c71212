"""``python -m predictors.custom``: serve a model that is code, or wait warm for one."""

import sys

from predictors.custom.cli import main
from predictors.serving.leaving import leave

if __name__ == "__main__":
    leave(main(sys.argv[1:]))
