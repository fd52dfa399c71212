"""The model server beside KServe's, MLServer and LitServe: `python -m perf.peers`."""
