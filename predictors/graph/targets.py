"""The URL of a service, taken apart once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from predictors.graph.proxies import Proxy

__all__ = ["Origin", "Target", "parse_target"]

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go."""

    scheme: str
    host: str
    port: int
    proxy: tuple[str, int] | None = None
    """Who is connected to instead, and sends requests on."""


@dataclass(frozen=True)
class Target:
    """What a step asks."""

    url: str
    origin: Origin
    authority: str
    path: str
    """With its query."""

    @cached_property
    def head(self) -> bytes:
        """The first lines of a request."""
        return self.head_of("POST", self.path)

    @cached_property
    def readiness(self) -> str | None:
        """Where the model that is asked says whether it is ready, in its protocol; None where that
        cannot be told from the path."""
        path = self.path.partition("?")[0]
        if path.startswith("/v1/models/") and path.endswith(":predict"):
            return path.removesuffix(":predict")
        if path.startswith("/v2/models/") and path.endswith("/infer"):
            return path.removesuffix("infer") + "ready"
        return None

    def head_of(self, method: str, path: str) -> bytes:
        """The first lines of a request to another path of it."""
        asked = path if self.origin.proxy is None else f"http://{self.authority}{path}"
        return f"{method} {asked} HTTP/1.1\r\nhost: {self.authority}\r\n".encode()


def parse_target(url: str, proxy: Proxy | None = None) -> Target:
    """The target of a URL, through the proxy where that serves its host.

    Raises ValueError saying what is wrong with the URL.
    """
    if any(ord(each) <= 0x20 or ord(each) >= 0x7F for each in url):
        raise ValueError(f"{url!r} has a blank or a character that URLs do not have")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no URL of a service; write http://<host>[:<port>]/<path>")
    if parts.username is not None:
        raise ValueError("the URL of a service holds no user or password")
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    if port == 0:
        raise ValueError(f"{url!r} has the port 0, at which nothing listens")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    through = proxy is not None and parts.scheme == "http" and proxy.serves(parts.hostname)
    via = (proxy.host, proxy.port) if proxy is not None and through else None
    return Target(url, Origin(parts.scheme, parts.hostname, port, via), parts.netloc, path)
