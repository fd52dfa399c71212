"""Runs in a finished image: prints as JSON what is installed there.

``{"python": "3.11.7", "libraries": [{name, version, license, requires}], "debian": [...]}``.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import sys
from collections.abc import Iterable
from pathlib import Path


def libraries() -> list[dict[str, object]]:
    """The Python distributions on the path, by name."""
    found: dict[str, dict[str, object]] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        found[name.lower()] = {
            "name": name,
            "version": distribution.version,
            "license": license_of(distribution),
            "requires": sorted(_required(distribution.requires or ())),
        }
    return [found[name] for name in sorted(found)]


def license_of(distribution: importlib.metadata.Distribution) -> str:
    """The SPDX expression of a distribution; empty where it has none, as older metadata."""
    return str(distribution.metadata.json.get("license_expression", ""))


def _required(requirements: Iterable[str]) -> set[str]:
    # Those of extras are left out: whether an extra was asked for is not recorded.
    names = (requirement for requirement in requirements if "extra ==" not in requirement)
    return {match[0] for name in names if (match := re.match(r"[\w.-]+", name))}


def debian(status: Path) -> list[dict[str, str]]:
    """The installed packages of dpkg's status file; none where it is absent."""
    if not status.exists():
        return []
    found = []
    for paragraph in status.read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            found.append({key: fields[key.title()] for key in ("package", "version")})
    return sorted(found, key=lambda package: package["package"])


if __name__ == "__main__":
    json.dump(
        {
            "python": platform.python_version(),
            "libraries": libraries(),
            "debian": debian(Path("/var/lib/dpkg/status")),
        },
        sys.stdout,
    )
