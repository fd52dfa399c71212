"""Deep learning beside its peers and limits: `python -m perf.deep_learning`."""
