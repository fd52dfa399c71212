"""``python -m predictors.huggingface``: serve a model of Hugging Face, or wait warm for one."""

import sys

from predictors.huggingface.cli import main
from predictors.serving.leaving import leave

if __name__ == "__main__":
    leave(main(sys.argv[1:]))
