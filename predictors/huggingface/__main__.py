"""``python -m predictors.huggingface``: serve a model of Hugging Face, or wait warm for one."""

import sys

from predictors.huggingface.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
