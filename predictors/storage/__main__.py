"""``python -m predictors.storage``: a node's cache of models, for whoever keeps it.

Answers are JSON lines on stdout. Exit codes: 0 done, 1 not done (the last line says why), 2 wrong
arguments.
"""

from __future__ import annotations

import sys

from predictors.storage.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
