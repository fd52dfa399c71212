"""``scripts/build-images``: builds the project's images. Needs Python 3.11 and nothing else."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from scripts.images import dockerfiles, engines, sbom, wheels
from scripts.images.revision import read_revision
from scripts.images.table import IMAGES, named

ROOT = dockerfiles.ROOT
INVENTORY = Path(__file__).with_name("inside") / "inventory.py"


def main(argv: Sequence[str]) -> int:
    """Build, list or write; 0, 1 when a build failed, 2 when it cannot begin."""
    arguments = _parser().parse_args(argv)
    try:
        images = named(arguments.names)
    except ValueError as error:
        return _refused(str(error))
    if arguments.list:
        for image in images:
            print(f"{image.name:20} {image.dockerfile:44} python -m {image.module}")
        return 0
    if arguments.write:
        for file in dockerfiles.write(images):
            print(f"wrote {file}")
        return 0
    if old := dockerfiles.stale(images):
        files = ", ".join(image.dockerfile for image in old)
        return _refused(f"not as scripts/images has it: {files}. Run scripts/build-images --write.")
    engine = arguments.engine or engines.installed()
    if engine is None:
        return _refused("neither buildah nor docker is installed, or on PATH.")
    revision = read_revision(ROOT)
    for image in images:
        reference = f"{arguments.registry}/{image.name}:{arguments.tag or revision.tag}"
        job = engines.Build(
            image,
            reference,
            revision,
            base=arguments.base,
            offline=arguments.wheels,
            extras=tuple(arguments.extra),
        )
        try:
            _build(engine, job, arguments)
        except subprocess.CalledProcessError as error:
            command = shlex.join(map(str, error.cmd))
            print(
                f"build-images: {image.name}: exit {error.returncode} of {command}", file=sys.stderr
            )
            return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/build-images",
        description="Build the images of Rouse, all or those named, with buildah or docker.",
        allow_abbrev=False,
    )
    names = ", ".join(image.name for image in IMAGES)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help=f"{names}; sklearn is short for sklearnserver")
    add("--tag", help="instead of v<version>-g<commit>, with -dirty for a changed tree")
    add("--registry", default="ghcr.io/rouse", help="in front of the names (%(default)s)")
    add("--base", help="base image: Debian-like with a python3 (3.11 unless wheels are gathered)")
    add("--extra", action="append", default=[], help="further extra of pyproject.toml, e.g. codecs")
    add("--engine", choices=engines.ENGINES, help="instead of the first that is installed")
    add("--wheels", action="store_true", help="gather wheels here; the build needs no network")
    add("--sbom", metavar="DIR", type=Path, help="write NAME.cdx.json (CycloneDX) into it")
    add("--push", action="store_true", help="push what was built")
    add("--dry-run", action="store_true", help="print the commands")
    add("--list", action="store_true", help="print names, Dockerfiles and commands")
    add("--write", action="store_true", help="write the Dockerfiles from table and template")
    return parser


def _build(engine: engines.EngineName, job: engines.Build, arguments: argparse.Namespace) -> None:
    commands = [engines.build(engine, job)]
    if arguments.push:
        commands.append(engines.push(engine, job.reference))
    if arguments.dry_run:
        for command in commands:
            print(shlex.join(command))
        return
    with wheels.gathered(ROOT, job.image, job.extras) if job.offline else nullcontext():
        _run(commands[0])
    digest = _output(engines.digest(engine, job.reference))
    print(f"{job.reference} {digest}", flush=True)
    if arguments.sbom:
        _write_sbom(engine, job, digest, arguments.sbom)
    for command in commands[1:]:
        _run(command)


def _write_sbom(engine: engines.EngineName, job: engines.Build, digest: str, to: Path) -> None:
    argv = ["/venv/bin/python", "-c", INVENTORY.read_text(encoding="utf-8")]
    try:
        *before, last = engines.inside(engine, job.reference, argv)
        for command in before:
            _output(command)
        inventory = json.loads(_output(last))
    finally:
        for command in engines.discard(engine, job.reference):
            _output(command)
    to.mkdir(parents=True, exist_ok=True)
    text = json.dumps(sbom.document(job, digest, inventory), indent=2) + "\n"
    (to / f"{job.image.name}.cdx.json").write_text(text, encoding="utf-8")


def _run(command: list[str]) -> None:
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)


def _output(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def _refused(why: str) -> int:
    print(f"build-images: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
