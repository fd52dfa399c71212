"""The model server under every Rouse predictor.

Belongs here: protocols, the data plane, storage, metrics, the process's life (listen, load, drain)
and warm parents. Does not belong here: anything that knows a framework, or the platform.

A framework's package gives a `Runtime` (how to import it, how to make a `Model` from a folder) and
calls `predictors.serving.cli.main`.
"""
