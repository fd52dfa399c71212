"""Writes the Dockerfiles from the table and one template."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from string import Template
from typing import Final

from scripts.images.table import Image

__all__ = ["ROOT", "install_arguments", "render", "stale", "write"]

ROOT: Final = Path(__file__).resolve().parents[2]
_TEMPLATE: Final = Path(__file__).with_name("Dockerfile.in")

# Logs and lists hold the time of the build.
_APT: Final = """\
RUN apt-get update \\
    && apt-get install --yes --no-install-recommends {packages} \\
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/ldconfig /var/log/*
"""


def render(image: Image) -> str:
    """The text of an image's Dockerfile."""
    install = ["python3", "-B", "/build/stages.py", "install", *install_arguments(image)]
    return (
        Template(_TEMPLATE.read_text(encoding="utf-8"))
        .substitute(
            title=image.title,
            name=image.name,
            dockerfile=image.dockerfile,
            repository=f"ghcr.io/rouse/{image.name}:v0.1.0",
            copies="\n".join(_copy(package) for package in image.packages),
            install=json.dumps(install),
            debian=_APT.format(packages=" ".join(image.debian)) if image.debian else "",
            expose=f"EXPOSE {' '.join(map(str, image.ports))}\n" if image.ports else "",
            entrypoint=json.dumps(["/venv/bin/python", "-m", image.module]),
            command=f"CMD {json.dumps(image.arguments)}" if image.arguments else "",
        )
        .rstrip()
        + "\n"
    )


def install_arguments(image: Image) -> list[str]:
    """The arguments of ``inside/stages.py`` for an image."""
    arguments = [f"--extra={extra}" for extra in image.extras]
    arguments += [f"--library={library}" for library in image.libraries]
    return [*arguments, *(["--base-dependencies"] if image.base_dependencies else [])]


def stale(images: Iterable[Image], root: Path = ROOT) -> list[Image]:
    """The images whose Dockerfile is not what it should be."""
    return [image for image in images if _text(root / image.dockerfile) != render(image)]


def write(images: Iterable[Image], root: Path = ROOT) -> list[str]:
    """Write the Dockerfiles that differ; their paths."""
    changed = stale(images, root)
    for image in changed:
        (root / image.dockerfile).write_text(render(image), encoding="utf-8")
    return [image.dockerfile for image in changed]


def _copy(package: str) -> str:
    # In a wheel and in an image alike, rouse is below no platform/ and has its manifests inside.
    inside = {"platform/rouse": "rouse", "manifests": "rouse/_manifests"}.get(package, package)
    if inside.endswith(".py"):
        inside = f"{PurePosixPath(inside).parent}/"
    return f"COPY {package} /build/src/{inside}"


def _text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None
