"""The ways in: by a host of its own, or by a path under the domain that all share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from rouse.api.base import Object
from rouse.compiler.config import Config
from rouse.compiler.hosts import external_hosts, local_host, public_path
from rouse.compiler.metadata import is_cluster_local
from rouse.compiler.owner import Owner

__all__ = ["EXPLAIN_PATHS", "Entrance", "attachment", "entrances", "inner_entrance"]

EXPLAIN_PATHS = r"/v[12]/models/[^/]+(:explain|/explain)"
"""A regular expression of the server's paths that ask for an explanation."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """What requests have in common that come in here."""

    host: str = ""
    """The host of a shared domain; empty where the service has hosts of its own."""
    path: str = ""
    authority: str = ""
    """A regular expression; needed only beside a shared domain."""
    rewrite: Object = field(default_factory=dict)
    """Istio's rewrite of the shared path to the server's own."""

    def match(self, uri: str) -> Object:
        """Return Istio's match of requests for the server's paths ``uri``; empty for all.

        ``uri`` is a regular expression; empty for every path.
        """
        match: Object = {"authority": {"regex": self.authority}} if self.authority else {}
        pattern = re.escape(self.path) + (uri or ("(/.*)?" if self.path else ""))
        if pattern:
            match["uri"] = {"regex": f"^{pattern}$"}
        return match


def entrances(owner: Owner, config: Config) -> list[Entrance]:
    """Return the ways in. Raises CompileError for a bad template."""
    path = "" if is_cluster_local(owner) else public_path(owner, config)
    if not path:
        return [Entrance()]
    own = [local_host(owner, config), *external_hosts(owner, config)]
    rewrite = {"uriRegexRewrite": {"match": f"^{re.escape(path)}/?", "rewrite": "/"}}
    return [
        Entrance(authority=_any_of(own)),
        Entrance(
            config.domain, path, authority=_any_of([config.domain]), rewrite={"rewrite": rewrite}
        ),
    ]


def attachment(
    owner: Owner, ways_in: Iterable[Entrance], config: Config
) -> tuple[list[str], list[str]]:
    """Return hosts and gateways of the VirtualService. Raises CompileError for a bad template."""
    hosts, gateways = [local_host(owner, config)], [config.local_gateway]
    if not is_cluster_local(owner):
        shared = [each.host for each in ways_in if each.host]
        hosts = list(dict.fromkeys([*hosts, *external_hosts(owner, config), *shared]))
        gateways += config.outside_gateways
    return hosts, gateways


def inner_entrance(host: str) -> Entrance:
    """Return the way in of requests that one component sends to another's host."""
    return Entrance(authority=_any_of([host]))


def _any_of(hosts: list[str]) -> str:
    return f"^({'|'.join(map(re.escape, hosts))})(:[0-9]+)?$"
