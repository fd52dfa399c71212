"""Folders that pods may write to: which there are, and that they are kept in bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from predictors.storage.twins import keep_twin_folders

IRIS, FLOWERS = "team-a/0123456789abcdef0123", "team-b/0123456789abcdef0123"
LIMIT = 100_000


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_is_open_to_who_has_it_mounted_and_to_nobody_else(tmp_path: Path) -> None:
    assert keep_twin_folders(tmp_path, {IRIS: LIMIT}) == (0, [])
    folder = tmp_path / "twins" / IRIS
    assert mode(folder) == 0o777
    assert mode(folder.parent) == 0o755  # a pod that has it mounted cannot leave it
    assert mode(tmp_path / "twins") == 0o700
    (folder / "a.twin").write_bytes(os.urandom(50_000))
    held, problems = keep_twin_folders(tmp_path, {IRIS: LIMIT, FLOWERS: LIMIT})
    assert 50_000 <= held < LIMIT
    assert problems == []
    # What nobody wants any more goes, and the namespace's folder at the next look.
    for _ in range(2):
        assert keep_twin_folders(tmp_path, {FLOWERS: LIMIT}) == (0, [])
    assert [path.name for path in (tmp_path / "twins").iterdir()] == ["team-b"]


def test_more_than_twins_is_removed_and_nothing_is_followed(tmp_path: Path) -> None:
    keep_twin_folders(tmp_path, {IRIS: LIMIT, FLOWERS: LIMIT})
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "model").write_bytes(b"kept")
    large, deep = tmp_path / "twins" / IRIS, tmp_path / "twins" / FLOWERS
    (large / "filler").write_bytes(os.urandom(2 * LIMIT))
    (large / "link").symlink_to(secret)
    (deep / "inner").mkdir()
    held, problems = keep_twin_folders(tmp_path, {IRIS: LIMIT, FLOWERS: LIMIT})
    assert held == 0
    assert len(problems) == 2
    assert all("it is emptied" in each for each in problems)
    assert list(large.iterdir()) == list(deep.iterdir()) == []
    assert mode(large) == 0o777
    assert (secret / "model").read_bytes() == b"kept"


def test_a_link_is_no_twin(tmp_path: Path) -> None:
    """It counts as itself: its target is the reading pod's own affair."""
    keep_twin_folders(tmp_path, {IRIS: LIMIT})
    (tmp_path / "twins" / IRIS / "link").symlink_to("/")
    assert keep_twin_folders(tmp_path, {IRIS: LIMIT}) == (0, [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_the_kubelet_made_first_is_put_aside(tmp_path: Path) -> None:
    folder = tmp_path / "twins" / IRIS
    folder.mkdir(parents=True)
    os.chown(folder, 1000, 1000)
    assert keep_twin_folders(tmp_path, {IRIS: LIMIT}) == (0, [])
    assert folder.stat().st_uid == 0
    assert mode(folder) == 0o777


@pytest.mark.parametrize("name", ["../0123456789", "team-a/../..", "team-a", "a/b/0123456789"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no folder of twins"):
        keep_twin_folders(tmp_path, {name: LIMIT})
