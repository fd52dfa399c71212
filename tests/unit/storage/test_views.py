"""Folders of what each namespace may read: links, no copies; what is not theirs is not in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from predictors.storage.budget import disk_bytes, published_bytes
from predictors.storage.cache import Cache
from predictors.storage.entries import Entry
from predictors.storage.fetching import fetched
from predictors.storage.kept import kept_entry
from predictors.storage.seal import drop_unused, seal
from predictors.storage.views import Reading, share
from tests.unit.storage.doubles.web import Origin

BODY = os.urandom(200_000)
A, B, ALL = "namespaces/team-a", "namespaces/team-b", "shared"


@pytest.fixture
def uri(origin: Origin) -> str:
    origin.files["/m.bin"] = BODY
    return f"{origin.url}/m.bin"


def fetch(root: Path, uri: str, scope: str = "") -> Entry:
    entry = Cache(root, scope=scope).fetch(uri, env={})
    assert entry is not None
    seal(root, entry.digest)
    return entry


def reading(*entries: Entry) -> Reading:
    return Reading(read=frozenset(each.digest for each in entries))


def bodies(view: Path) -> list[bytes]:
    return [path.read_bytes() for path in view.glob("models/*/files/*")]


def test_a_namespace_reads_its_own_and_nothing_else(tmp_path: Path, uri: str) -> None:
    entry = fetch(tmp_path, uri)
    assert share(tmp_path, {A: reading(entry), B: Reading()}) == []
    mine, others = tmp_path / "views" / A, tmp_path / "views" / B
    found = kept_entry(mine, uri, {})
    assert found is not None
    assert (found.folder / "m.bin").samefile(entry.folder / "m.bin")
    assert kept_entry(others, uri, {}) is None
    assert [path for path in others.rglob("*") if path.is_file()] == []
    # It takes no room, and is gone when it may not be read any more.
    assert published_bytes(tmp_path) == len(BODY)
    assert share(tmp_path, {}) == []
    assert bodies(mine) == []
    assert list((mine / "latest").iterdir()) == []
    assert bodies(tmp_path) == [BODY]


def test_folders_are_the_agents_before_a_kubelet_mounts_below_them(tmp_path: Path) -> None:
    assert share(tmp_path, {}) == []
    found = {str(path.relative_to(tmp_path / "views")) for path in tmp_path.glob("views/*")}
    assert found == {"shared", "namespaces"}


def test_pods_look_into_their_own_folder_and_that_of_all(tmp_path: Path, uri: str) -> None:
    entry = fetch(tmp_path, uri)
    share(tmp_path, {ALL: reading(entry), A: Reading()})
    views = f"{tmp_path}/views/{A}:{tmp_path}/views/{ALL}"
    env = {"ROUSE_MODEL_CACHE": views, "ROUSE_MODEL_CACHE_KEPT": "true"}
    with fetched(uri, env=env) as folder:
        assert folder.is_relative_to(tmp_path / "views" / ALL)
        assert (folder / "m.bin").read_bytes() == BODY


def test_what_other_credentials_opened_is_another_entry_of_the_same_bytes(
    tmp_path: Path, uri: str
) -> None:
    everyones, private = fetch(tmp_path, uri), fetch(tmp_path, uri, scope="team-a")
    assert everyones.digest != private.digest
    share(tmp_path, {A: reading(private), B: reading(everyones)})
    # Both are asked for by the location alone: a pod knows nothing of scopes.
    for view, entry in ((A, private), (B, everyones)):
        found = kept_entry(tmp_path / "views" / view, uri, {})
        assert found is not None
        assert found.digest == entry.digest
    # One file on the disk, which counts once.
    assert published_bytes(tmp_path) == len(BODY)
    assert disk_bytes(tmp_path) < 2 * len(BODY)
    # The room is free when the last goes, whoever could read it.
    cache = Cache(tmp_path)
    cache.remove(private.digest)
    assert bodies(tmp_path / "views" / A) == []
    assert bodies(tmp_path / "views" / B) == [BODY]
    cache.remove(everyones.digest)
    assert drop_unused(tmp_path) == 0
    assert disk_bytes(tmp_path) < len(BODY)


def test_a_view_follows_its_entry(tmp_path: Path, uri: str) -> None:
    entry = Cache(tmp_path).fetch(uri, env={})
    assert entry is not None
    other = fetch(tmp_path, uri, scope="team-b")
    wanted = {A: reading(entry)}
    share(tmp_path, wanted)
    # Checksums make it a name of the other's file; a twin comes later.
    seal(tmp_path, entry.digest)
    twins = entry.folder.parent / "twins"
    twins.mkdir()
    (twins / "x.twin").write_bytes(b"twin")
    share(tmp_path, wanted)
    seen = tmp_path / "views" / A / "models" / entry.digest
    assert (seen / "files/m.bin").samefile(other.folder / "m.bin")
    assert (seen / "twins/x.twin").read_bytes() == b"twin"
    before = {path: path.lstat().st_mtime_ns for path in seen.rglob("*")}
    share(tmp_path, wanted)
    assert {path: path.lstat().st_mtime_ns for path in seen.rglob("*")} == before


def test_what_running_pods_hold_stays_and_is_not_brought(tmp_path: Path, uri: str) -> None:
    entry = fetch(tmp_path, uri)
    held = Reading(hold=frozenset({entry.digest}))
    # A pod's word that it uses a model opens none.
    share(tmp_path, {A: held})
    assert bodies(tmp_path / "views" / A) == []
    share(tmp_path, {A: reading(entry)})
    share(tmp_path, {A: held})
    assert bodies(tmp_path / "views" / A) == [BODY]


def test_a_former_revision_is_there_and_not_the_latest(
    tmp_path: Path, uri: str, origin: Origin
) -> None:
    old = fetch(tmp_path, uri)
    origin.files["/m.bin"] = BODY[::-1]
    new = fetch(tmp_path, uri)
    share(tmp_path, {A: reading(old, new)})
    view = tmp_path / "views" / A
    found = kept_entry(view, uri, {})
    assert found is not None
    assert found.digest == new.digest
    assert sorted(bodies(view)) == sorted([BODY, BODY[::-1]])


def test_links_that_somebody_put_into_a_view_lead_nowhere(tmp_path: Path, uri: str) -> None:
    entry = fetch(tmp_path, uri)
    view = tmp_path / "views" / A
    view.mkdir(parents=True)
    (view / "models").symlink_to(tmp_path / "models")
    share(tmp_path, {A: Reading()})
    assert bodies(tmp_path) == [BODY]
    (view / "models" / entry.digest).symlink_to(tmp_path / "models" / entry.digest)
    share(tmp_path, {A: Reading()})
    assert bodies(tmp_path) == [BODY]


@pytest.mark.parametrize("name", ["namespaces/../shared", "namespaces/", "models", "../x"])
def test_names_that_are_no_view_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no view"):
        share(tmp_path, {name: Reading()})


def test_an_empty_folder_of_the_kubelet_is_replaced(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = fetch(tmp_path, uri)
    view = tmp_path / "views" / A
    view.mkdir(parents=True)
    answers = iter([False])
    monkeypatch.setattr(os, "access", lambda *_: next(answers, True))
    share(tmp_path, {A: reading(entry)})
    assert bodies(view) == [BODY]
    assert list(answers) == []
