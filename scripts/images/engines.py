"""The commands of buildah and docker that build, ask and push an image."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from scripts.images.revision import Revision
from scripts.images.table import Image

__all__ = [
    "ENGINES",
    "Build",
    "EngineName",
    "build",
    "digest",
    "discard",
    "inside",
    "installed",
    "labels",
    "push",
]

EngineName = Literal["buildah", "docker"]
ENGINES: Final[tuple[EngineName, ...]] = ("buildah", "docker")


@dataclass(frozen=True, slots=True)
class Build:
    """One image as it is to be built."""

    image: Image
    reference: str
    """E.g. ``ghcr.io/rouse/sklearnserver:v0.1.0-g4e4c951``."""
    revision: Revision
    base: str | None = None
    """Replaces the Dockerfile's base image."""
    offline: bool = False
    """Take wheels from ``build/wheels`` only."""
    extras: tuple[str, ...] = ()
    """Extras beyond the image's own, e.g. ``codecs``."""


def installed(which: Callable[[str], str | None] = shutil.which) -> EngineName | None:
    """The first engine that is there."""
    return next((engine for engine in ENGINES if which(engine)), None)


def build(engine: EngineName, job: Build) -> list[str]:
    """The command that builds, in the repository's root."""
    epoch = job.revision.epoch
    if engine == "buildah":
        # Docker's format has more fields; OCI's is what registries and containerd agree on.
        command = ["buildah", "build", "--format=oci", f"--timestamp={epoch}", "--no-cache"]
    else:
        command = ["docker", "buildx", "build", "--provenance=false"]
        command += [f"--build-arg=SOURCE_DATE_EPOCH={epoch}"]
        command += ["--output=type=docker,rewrite-timestamp=true"]
    command += [f"--label={key}={value}" for key, value in labels(job).items()]
    if job.base:
        command.append(f"--build-arg=BASE={job.base}")
    if job.offline:
        command.append("--build-arg=PIP_NO_INDEX=1")
    if job.extras:
        command.append(f"--build-arg=EXTRAS={','.join(job.extras)}")
    return [*command, f"--tag={job.reference}", f"--file={job.image.dockerfile}", "."]


def labels(job: Build) -> Mapping[str, str]:
    """OCI's annotations of what was built; the rest are in the Dockerfile."""
    created = datetime.fromtimestamp(job.revision.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    prefix = "org.opencontainers.image"
    return {
        f"{prefix}.created": created,
        f"{prefix}.revision": job.revision.commit + ("-dirty" if job.revision.dirty else ""),
        f"{prefix}.version": job.revision.version,
    } | ({f"{prefix}.base.name": job.base} if job.base else {})


def digest(engine: EngineName, reference: str) -> list[str]:
    """The command that prints an image's digest."""
    if engine == "buildah":
        template = "{{.FromImageDigest}}"
        return ["buildah", "inspect", "--type=image", f"--format={template}", reference]
    return ["docker", "image", "inspect", "--format={{.Id}}", reference]


def inside(engine: EngineName, reference: str, argv: Sequence[str]) -> list[list[str]]:
    """The commands that run `argv` in an image; the last one's output is argv's.

    With buildah the container's name is the reference's letters; see `discard`.
    """
    if engine == "docker":
        return [["docker", "run", "--rm", f"--entrypoint={argv[0]}", reference, *argv[1:]]]
    container = _container(reference)
    return [
        ["buildah", "from", f"--name={container}", "--pull-never", reference],
        ["buildah", "run", container, "--", *argv],
    ]


def discard(engine: EngineName, reference: str) -> list[list[str]]:
    """The commands that remove what `inside` left."""
    return [["buildah", "rm", _container(reference)]] if engine == "buildah" else []


def push(engine: EngineName, reference: str) -> list[str]:
    """The command that uploads an image to the registry in its name."""
    return [engine, "push", reference]


def _container(reference: str) -> str:
    return "inside-" + "".join(c if c.isalnum() else "-" for c in reference)
