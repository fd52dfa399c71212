"""``python -m predictors.pytorch``: serve a PyTorch model, or wait warm for one."""

import os
import sys

from predictors.pytorch.gpus import with_workers
from predictors.pytorch.runtime import RUNTIME
from predictors.serving.cli import main
from predictors.serving.leaving import leave

if __name__ == "__main__":
    leave(main(with_workers(sys.argv[1:], os.environ), RUNTIME))
