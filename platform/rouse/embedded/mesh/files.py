"""xDS files: written whole, renamed into place, and only when their content differs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import orjson

from rouse.embedded.mesh.translate.envoy import digest, typed
from rouse.kube.objects import Object

__all__ = ["DiscoveryFile", "make_extension", "make_route_table", "write_atomically"]


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by rename, which is what Envoy watches for; readers never see half of it."""
    staged = path.with_name(f".{path.name}.new")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    staged.replace(path)


class DiscoveryFile:
    """One file with a DiscoveryResponse. ``version`` is a digest of the resources."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = ""

    def write(self, resources: Iterable[Object]) -> bool:
        """Write if anything changed since the last write; says whether it did."""
        listed = list(resources)
        version = digest(listed)
        if version == self.version:
            return False
        content = orjson.dumps({"version_info": version, "resources": listed})
        write_atomically(self.path, content)
        self.version = version
        return True


def make_extension(name: str, config: Object) -> Object:
    """Make the resource that configures the filter of this name."""
    return typed(
        "envoy.config.core.v3.TypedExtensionConfig", {"name": name, "typed_config": config}
    )


def make_route_table(name: str, virtual_hosts: list[Object]) -> Object:
    """Make the RouteConfiguration of a listener."""
    return typed(
        "envoy.config.route.v3.RouteConfiguration",
        {
            "name": name,
            "virtual_hosts": virtual_hosts,
            # Hosts match with and without a port, and replicas still see the port that was asked.
            "ignore_port_in_host_matching": True,
        },
    )
