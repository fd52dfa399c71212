"""Benchmarks: `python -m perf.<name>`; each ends with one line of JSON."""
