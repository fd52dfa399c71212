"""scripts/build-images without an engine: commands, tags, refusals."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.images import engines
from scripts.images.dockerfiles import ROOT
from scripts.images.engines import Build
from scripts.images.revision import Revision, read_revision
from scripts.images.table import named

REVISION = Revision("0.1.0", "4e4c951fd2a41d", 1_795_262_083, dirty=False)
(SKLEARN,) = named(["sklearn"])


def script(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHON": sys.executable}
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        [ROOT / "scripts/build-images", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        env=environment,
    )


def job(**more: object) -> Build:
    return Build(SKLEARN, "r.example/sklearnserver:v1", REVISION, **more)  # type: ignore[arg-type]


def test_dry_run_prints_one_build_per_image() -> None:
    done = script("sklearn", "controller", "--dry-run", "--engine=buildah", "--tag=v9", "--push")
    assert done.returncode == 0, done.stderr
    build, push, *rest = done.stdout.splitlines()
    assert build.startswith("buildah build ")
    assert "--tag=ghcr.io/rouse/sklearnserver:v9 --file=predictors/sklearn/Dockerfile ." in build
    assert push == "buildah push ghcr.io/rouse/sklearnserver:v9"
    assert [line.split()[1] for line in rest] == ["build", "push"]


def test_list_names_every_image() -> None:
    done = script("--list")
    assert len(done.stdout.splitlines()) == len(named([]))
    assert "python -m predictors.sklearn" in done.stdout


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    done = script("java", "--dry-run")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "build-images: no image is named 'java'; there are: sklearnserver"
    )


def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    for program in ("bash", "dirname"):
        found = shutil.which(program)
        assert found
        (tmp_path / program).symlink_to(found)
    done = script("sklearn", path=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == "build-images: neither buildah nor docker is installed, or on PATH.\n"


def test_the_same_commit_has_the_same_build() -> None:
    command = engines.build("buildah", job())
    assert "--timestamp=1795262083" in command
    assert "--label=org.opencontainers.image.created=2026-11-21T11:54:43Z" in command
    assert "--label=org.opencontainers.image.revision=4e4c951fd2a41d" in command
    docker = engines.build("docker", job())
    assert "--build-arg=SOURCE_DATE_EPOCH=1795262083" in docker
    assert "--output=type=docker,rewrite-timestamp=true" in docker


def test_options_become_build_arguments() -> None:
    command = engines.build(
        "docker", job(base="mirror.example/python", offline=True, extras=("codecs", "tracing"))
    )
    assert {
        "--build-arg=BASE=mirror.example/python",
        "--build-arg=PIP_NO_INDEX=1",
        "--build-arg=EXTRAS=codecs,tracing",
        "--label=org.opencontainers.image.base.name=mirror.example/python",
    } <= set(command)


@pytest.mark.parametrize(
    ("there", "chosen"), [({"buildah", "docker"}, "buildah"), ({"docker"}, "docker"), (set(), None)]
)
def test_buildah_before_docker(there: set[str], chosen: str | None) -> None:
    assert engines.installed(lambda name: name if name in there else None) == chosen


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    return tmp_path


def test_the_tag_names_version_and_commit(checkout: Path) -> None:
    clean = read_revision(checkout)
    assert clean.tag == f"v1.2.3-g{clean.commit[:7]}"
    assert clean.epoch > 0
    (checkout / "new.py").touch()
    assert read_revision(checkout).tag == clean.tag + "-dirty"


def test_outside_of_git_the_tag_says_that_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    assert read_revision(tmp_path) == Revision("1.2.3", "unknown", 0, dirty=True)
