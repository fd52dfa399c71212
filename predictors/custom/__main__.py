"""``python -m predictors.custom``: serve a model that is code, or wait warm for one."""

import sys

from predictors.custom.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
