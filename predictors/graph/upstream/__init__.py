"""Asking services over HTTP/1.1, by connections that are kept.

Own code instead of httpx, which takes ten times as long for a call (perf.graph); a router's calls
are POSTs with a body that is there, whose answers are read whole or passed on as they come, and
nothing else that a client library is for.
"""

from predictors.graph.upstream.client import Client, ClientSettings

__all__ = ["Client", "ClientSettings"]
