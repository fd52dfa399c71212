"""Models that are code: plain classes, and those written for KServe, MLServer or ClearML.

Belongs here: finding the user's class, calling it the way its own server would, and turning its
answers into tensors. Does not belong here: protocols, the data plane, frameworks.

The user's code runs in a thread and an event loop of its own (`loops`), so that health checks are
answered while it computes. ``compat`` holds what such classes import, for images without it.
"""
