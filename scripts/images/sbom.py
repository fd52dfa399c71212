"""A software bill of materials (CycloneDX 1.6, JSON) from what an image says it holds."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from scripts.images.engines import Build

__all__ = ["document"]


def document(job: Build, digest: str, inventory: Mapping[str, Any]) -> dict[str, Any]:
    """The bill of one image; `inventory` is what ``inside/inventory.py`` prints.

    The same image has the same bill: its serial number is made from the digest.
    """
    libraries = [_library(entry) for entry in inventory["libraries"]]
    debian = [_debian(entry) for entry in inventory["debian"]]
    python = {
        "type": "platform",
        "bom-ref": "python",
        "name": "CPython",
        "version": inventory["python"],
        "purl": f"pkg:generic/python@{inventory['python']}",
    }
    created = datetime.fromtimestamp(job.revision.epoch, UTC)
    refs = {_normal(entry["name"]): _reference(entry) for entry in inventory["libraries"]}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{job.reference}@{digest}')}",
        "version": 1,
        "metadata": {
            "timestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "container",
                "bom-ref": "image",
                "name": job.reference.rpartition(":")[0],
                "version": job.reference.rpartition(":")[2],
                "licenses": [{"expression": "Apache-2.0"}],
                "properties": [
                    {"name": "rouse:image:digest", "value": digest},
                    {"name": "rouse:image:revision", "value": job.revision.commit},
                ],
            },
        },
        "components": [python, *libraries, *debian],
        "dependencies": [
            {
                "ref": "image",
                "dependsOn": sorted(c["bom-ref"] for c in (python, *libraries, *debian)),
            },
            *(
                {"ref": _reference(entry), "dependsOn": _known(entry["requires"], refs)}
                for entry in inventory["libraries"]
            ),
        ],
    }


def _library(entry: Mapping[str, Any]) -> dict[str, Any]:
    licensed = {"licenses": [{"expression": entry["license"]}]} if entry["license"] else {}
    reference = _reference(entry)
    return {
        "type": "library",
        "bom-ref": reference,
        "name": entry["name"],
        "version": entry["version"],
        "purl": reference,
    } | licensed


def _debian(entry: Mapping[str, str]) -> dict[str, Any]:
    reference = f"pkg:deb/debian/{quote(entry['package'])}@{quote(entry['version'], safe='')}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": entry["package"],
        "version": entry["version"],
        "purl": reference,
    }


def _reference(entry: Mapping[str, Any]) -> str:
    return f"pkg:pypi/{_normal(entry['name'])}@{quote(entry['version'], safe='')}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _known(required: list[str], refs: Mapping[str, str]) -> list[str]:
    return sorted({refs[name] for required_ in required if (name := _normal(required_)) in refs})
