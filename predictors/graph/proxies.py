"""The proxy of plain HTTP that the environment names, as Go's and Python's clients read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from predictors.serving.errors import StartupError

__all__ = ["Proxy", "proxy_of"]

_LOOPBACK: Final = ("localhost", "::1")


@dataclass(frozen=True)
class Proxy:
    """Where requests for other hosts than the ``exceptions`` go."""

    host: str
    port: int
    exceptions: tuple[str, ...] = ()

    def serves(self, host: str) -> bool:
        """Whether requests for a host go through it; those for this machine never do."""
        if host in _LOOPBACK or host.startswith("127."):
            return False
        return not any(_covers(each, host) for each in self.exceptions)


def proxy_of(env: Mapping[str, str]) -> Proxy | None:
    """The proxy for http:// by ``http_proxy`` and ``no_proxy``, in either case of letters.

    None where there is none: https:// always goes its own way. Raises StartupError for a value that
    names no proxy.
    """
    told = env.get("http_proxy") or env.get("HTTP_PROXY") or ""
    if not told:
        return None
    try:
        parts = urlsplit(told if "://" in told else f"http://{told}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host = None
    if not host or parts.scheme != "http" or parts.username is not None:
        raise StartupError(f"http_proxy: {told!r} is no proxy; write http://<host>:<port>")
    excepted = (env.get("no_proxy") or env.get("NO_PROXY") or "").replace(" ", "").lower()
    return Proxy(host, port, tuple(filter(None, excepted.split(","))))


def _covers(exception: str, host: str) -> bool:
    """Whether an entry of ``no_proxy`` speaks of a host: all, that name, or a domain of it."""
    domain = exception.lstrip("*").lstrip(".")
    return exception == "*" or (bool(domain) and (host == domain or host.endswith(f".{domain}")))
