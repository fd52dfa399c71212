"""``python -m predictors.graph``."""

import sys

from predictors.graph.cli import main
from predictors.serving.leaving import leave

if __name__ == "__main__":
    leave(main(sys.argv[1:]))
