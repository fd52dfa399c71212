"""Asking services over HTTP/1.1, by connections that are kept.

httptools reads the answers; the connections around it are own code: a call takes 18 us of the
processor, where aiohttp takes 62 and httpx 740, and a router does little else. Its calls are POSTs
with a body that is there, whose answers are read whole or passed on as they come; nothing else that
a client library is for.
"""

from predictors.graph.upstream.client import Client, ClientSettings

__all__ = ["Client", "ClientSettings"]
