"""Rules every Dockerfile keeps, and that they are what the table says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts.images.dockerfiles import ROOT, render, stale, write
from scripts.images.table import IMAGES, Image

DOCKERFILES = [
    path
    for path in sorted(ROOT.glob("*/**/Dockerfile"))
    if ".venv" not in path.relative_to(ROOT).parts
]
EACH_IMAGE = pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
EACH_FILE = pytest.mark.parametrize(
    "file", DOCKERFILES, ids=lambda file: str(file.relative_to(ROOT))
)


def instructions(file: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: word, rest; continued lines joined."""
    text = re.sub(r"\\\n", " ", file.read_text())
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def last_stage(file: Path) -> list[tuple[str, str]]:
    every = instructions(file)
    start = max(index for index, (word, _) in enumerate(every) if word == "FROM")
    return every[start:]


def test_every_dockerfile_is_an_image_of_the_table() -> None:
    assert [str(file.relative_to(ROOT)) for file in DOCKERFILES] == sorted(
        image.dockerfile for image in IMAGES
    )


def test_dockerfiles_are_what_the_template_gives() -> None:
    assert [image.name for image in stale(IMAGES)] == [], "run scripts/build-images --write"


def test_writing_touches_only_what_differs(tmp_path: Path) -> None:
    image = IMAGES[0]
    file = tmp_path / image.dockerfile
    file.parent.mkdir(parents=True)
    file.write_text("FROM scratch\n")
    assert write([image], tmp_path) == [image.dockerfile]
    assert file.read_text() == render(image)
    assert write([image], tmp_path) == []


@EACH_FILE
def test_two_stages_of_the_base_that_was_asked_for(file: Path) -> None:
    stages = [rest for word, rest in instructions(file) if word == "FROM"]
    assert stages == ["${BASE} AS build", "${BASE}"]
    assert ("ARG", "BASE=docker.io/library/python:3.11-slim-bookworm") in instructions(file)


@EACH_FILE
def test_runs_as_a_numeric_user_who_is_not_root(file: Path) -> None:
    # Kubernetes' runAsNonRoot refuses names: it cannot know whose they are.
    assert [rest for word, rest in last_stage(file) if word == "USER"] == ["1000:1000"]
    after = last_stage(file)[last_stage(file).index(("USER", "1000:1000")) :]
    assert "RUN" not in [word for word, _ in after]


@EACH_FILE
def test_nothing_is_added_from_the_network_or_from_outside_the_tree(file: Path) -> None:
    for word, rest in instructions(file):
        assert word != "ADD"
        assert "://" not in rest or word == "LABEL", f"{word} {rest}"
        assert not (word == "COPY" and (".." in rest or rest.split()[0] == ".")), rest


@EACH_FILE
def test_both_the_libraries_and_the_standard_library_are_byte_compiled(file: Path) -> None:
    runs = [rest for word, rest in instructions(file) if word == "RUN"]
    assert any('"install"' in run for run in runs)
    assert any('"finish"' in run for run in runs)
    assert ("COPY", "--from=build /venv /venv") in last_stage(file)


@EACH_FILE
def test_the_process_starts_without_a_shell_and_stops_by_sigterm(file: Path) -> None:
    final = dict(last_stage(file))
    argv = json.loads(final["ENTRYPOINT"])
    assert argv[:2] == ["/venv/bin/python", "-m"]
    assert isinstance(json.loads(final.get("CMD", "[]")), list)
    assert final["STOPSIGNAL"] == "SIGTERM"


@EACH_FILE
def test_a_read_only_root_is_enough(file: Path) -> None:
    final = dict(last_stage(file))
    assert final["WORKDIR"] == "/tmp"
    assert "HOME=/tmp" in final["ENV"]
    assert "PYTHONDONTWRITEBYTECODE=1" in final["ENV"]


@EACH_IMAGE
def test_what_the_table_names_is_there(image: Image) -> None:
    for package in image.packages:
        assert (ROOT / package).exists(), package


def test_the_context_has_what_is_copied_and_no_more() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = {
        source
        for file in DOCKERFILES
        for word, rest in instructions(file)
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    missing = {
        source
        for source in copied
        if not any(source == entry or source.startswith(entry + "/") for entry in allowed)
    }
    assert missing == {"build/wheel[s]"}
    assert "build/wheels" in allowed
