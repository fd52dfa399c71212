"""``python -m transformers_pre``: serve the transformer that ``--module`` names."""

import sys

from transformers_pre.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
