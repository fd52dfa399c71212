"""Everything at once for a long time: see `python -m perf.soak --help`."""
