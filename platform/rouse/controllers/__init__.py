"""One module or folder per kind; level-based and idempotent; runs unchanged on any cluster."""
