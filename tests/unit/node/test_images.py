"""Image -> local command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rouse.embedded.node.errors import PodSetupError
from rouse.embedded.node.images import ImageTable, LocalCommand, read_images, repository_of
from rouse.errors import ConfigError


def find(table: ImageTable, image: str, **annotations: str) -> LocalCommand:
    given = {key.replace("__", "/").replace("_", "."): value for key, value in annotations.items()}
    return table.command_for(image, given, "main", serving=True)


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("ubuntu", "ubuntu"),
        ("ubuntu:24.04", "ubuntu"),
        ("ghcr.io/rouse/sklearnserver:v0.1.0", "ghcr.io/rouse/sklearnserver"),
        ("localhost:5000/a/b", "localhost:5000/a/b"),
        ("localhost:5000/a/b:v1@sha256:00", "localhost:5000/a/b"),
    ],
)
def test_repository(image: str, repository: str) -> None:
    assert repository_of(image) == repository


def test_the_built_in_predictor() -> None:
    found = find(ImageTable(), "ghcr.io/rouse/sklearnserver:v9")
    assert found.argv == (sys.executable, "-m", "predictors.sklearn")
    assert found.warm
    assert found.listen


def test_the_longest_prefix_wins_at_a_slash() -> None:
    table = ImageTable(built_in={"a.io/x": LocalCommand(("x",)), "a.io/x/y": LocalCommand(("y",))})
    assert find(table, "a.io/x/z:1").argv == ("x",)
    assert find(table, "a.io/x/y:1").argv == ("y",)
    with pytest.raises(PodSetupError):
        find(table, "a.io/xx")


def test_a_missing_entry_says_what_to_add(tmp_path: Path) -> None:
    with pytest.raises(PodSetupError) as raised:
        find(ImageTable(tmp_path / "images.yaml"), "docker.io/me/mine:v1")
    assert raised.value.reason == "NoLocalCommand"
    for part in (
        str(tmp_path / "images.yaml"),
        '"docker.io/me/mine"',
        "embedded.rouse.dev/command",
    ):
        assert part in raised.value.message


def test_annotations_win() -> None:
    table = ImageTable(python="/py")
    found = find(
        table,
        "ghcr.io/rouse/sklearnserver",
        embedded_rouse_dev__command='["{python}", "mine.py"]',
        embedded_rouse_dev__warm="true",
    )
    assert found == LocalCommand(("/py", "mine.py"), warm=True, listen=True, overrides=True)
    side = table.command_for(
        "x", {"embedded.rouse.dev/command.side": '["side"]'}, "side", serving=False
    )
    assert side.argv == ("side",)
    with pytest.raises(PodSetupError):
        table.command_for("x", {"embedded.rouse.dev/command": '["a"]'}, "side", serving=False)


@pytest.mark.parametrize("text", ["python x.py", "[]", '["a", 1]', "{}", "[", '"a"'])
def test_a_malformed_annotation(text: str) -> None:
    with pytest.raises(PodSetupError, match=r"annotation embedded\.rouse\.dev/command: ") as raised:
        find(ImageTable(), "x", embedded_rouse_dev__command=text)
    assert raised.value.reason == "InvalidCommand"


def test_the_users_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    table = ImageTable(file, python="/py")
    file.write_text('images: {me/mine: ["{python}", "a"]}')
    assert find(table, "me/mine:1").argv == ("/py", "a")
    file.write_text("images: {me/mine/: {command: [b], listen: true}}")
    os.utime(file, ns=(1, 1))
    assert find(table, "me/mine:1") == LocalCommand(("b",), listen=True)
    file.unlink()
    with pytest.raises(PodSetupError):
        find(table, "me/mine:1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", 'expected a mapping "images:"'),
        ("images: 1", 'expected a mapping "images:"'),
        ("a: [", "cannot be read"),
        ("images: {x: 1}", r'images\["x"\]: expected a list'),
        ("images: {x: {command: []}}", "non-empty list"),
        ("images: {x: {command: [a], wram: true}}", "unknown key 'wram'"),
        ("images: {x: {command: [a], warm: 1}}", "warm must be true or false"),
    ],
)
def test_a_malformed_file(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "images.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_images(file)
    with pytest.raises(PodSetupError) as raised:
        find(ImageTable(file), "x")
    assert raised.value.reason == "InvalidCommand"
