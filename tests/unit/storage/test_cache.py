"""A node's cache: one copy, whole or not there, whoever is killed when."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from predictors.serving.errors import StorageError
from predictors.storage import entries, fetched
from predictors.storage.cache import Cache
from predictors.storage.entries import Entry
from predictors.storage.locks import held
from tests.unit.storage.doubles.web import Handler, Origin

BODY = random.Random(2).randbytes(400_000)
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(autouse=True)
def model(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    origin.files["/m.bin"] = BODY
    monkeypatch.setenv("ROUSE_STORAGE_PART_BYTES", "20000")
    monkeypatch.setenv("ROUSE_STORAGE_ATTEMPTS", "2")


def have(cache: Cache, uri: str) -> Entry:
    found = cache.fetch(uri)
    assert found is not None
    return found


def test_a_second_process_downloads_nothing(origin: Origin, cache: Cache) -> None:
    first = have(cache, f"{origin.url}/m.bin")
    assert (first.folder / "m.bin").read_bytes() == BODY
    before = len(origin.requests)
    assert have(cache, f"{origin.url}/m.bin").folder == first.folder
    # One request: whether the model is still that.
    assert len(origin.requests) == before + 1
    (listed,) = cache.entries()
    assert (listed.bytes, listed.uri) == (400_000, f"{origin.url}/m.bin")
    assert not list((cache.root / "partial").iterdir())


def test_a_pinned_model_needs_no_network(origin: Origin, cache: Cache) -> None:
    import hashlib

    uri = f"{origin.url}/m.bin#sha256={hashlib.sha256(BODY).hexdigest()}"
    have(cache, uri)
    origin.requests.clear()
    have(cache, uri)
    assert not origin.requests


def test_the_server_reads_it_in_place(origin: Origin, cache: Cache) -> None:
    env = {"ROUSE_MODEL_CACHE": str(cache.root)}
    with fetched(f"{origin.url}/m.bin", env=env) as folder:
        assert folder.is_relative_to(cache.root)
    assert folder.exists()


def test_where_an_agent_keeps_it_nobody_else_asks_or_writes(origin: Origin, cache: Cache) -> None:
    uri = f"{origin.url}/m.bin"
    env = {"ROUSE_MODEL_CACHE": str(cache.root), "ROUSE_MODEL_CACHE_KEPT": "true"}
    with fetched(uri, env=env) as folder:
        assert not folder.is_relative_to(cache.root)
    assert not cache.root.exists()
    first = cache.fetch(uri, env={})
    assert first is not None
    origin.requests.clear()
    with fetched(uri, env=env) as folder:
        assert folder == first.folder
    assert not origin.requests
    # A damaged copy is left to the agent: the process gets one of its own.
    (first.folder / "m.bin").write_bytes(b"")
    with fetched(uri, env=env) as folder:
        assert (folder / "m.bin").read_bytes() == BODY
    assert (first.folder / "m.bin").read_bytes() == b""


def test_a_new_revision_keeps_the_old_until_it_is_removed(origin: Origin, cache: Cache) -> None:
    old = have(cache, f"{origin.url}/m.bin")
    origin.files["/m.bin"] = BODY[::-1]
    new = have(cache, f"{origin.url}/m.bin")
    assert new.folder != old.folder
    assert (old.folder / "m.bin").read_bytes() == BODY
    with (old.folder / "m.bin").open("rb") as opened:
        cache.remove(old.digest)
        assert opened.read() == BODY
    assert [entry.digest for entry in cache.entries()] == [new.digest]


def test_an_origin_that_is_down_leaves_the_last_revision(origin: Origin, cache: Cache) -> None:
    def down(handler: Handler) -> bool:
        handler.answer(503, b"")
        return True

    first = have(cache, f"{origin.url}/m.bin")
    origin.faults.append(down)
    assert have(cache, f"{origin.url}/m.bin").folder == first.folder
    with pytest.raises(StorageError, match=r"other\.bin: .* answered 503 .*2 attempts"):
        cache.fetch(f"{origin.url}/other.bin")


def test_a_damaged_entry_is_fetched_again(origin: Origin, cache: Cache) -> None:
    entry = have(cache, f"{origin.url}/m.bin")
    (entry.folder / "m.bin").write_bytes(b"short")
    assert not list(cache.entries())
    assert (have(cache, f"{origin.url}/m.bin").folder / "m.bin").read_bytes() == BODY


def test_what_the_disk_may_not_have_counts_until_the_next_boot(
    origin: Origin, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cache, "_settle", lambda *_: None)
    entry = have(cache, f"{origin.url}/m.bin")
    assert not entry.settled
    monkeypatch.setattr(entries, "boot_id", lambda: "another boot")
    assert not list(cache.entries())
    monkeypatch.undo()
    assert cache.settle() == 1
    monkeypatch.setattr(entries, "boot_id", lambda: "another boot")
    assert [each.settled for each in cache.entries()] == [True]


def test_an_origin_that_tells_no_revision_is_asked_every_time(origin: Origin, cache: Cache) -> None:
    origin.tagged = False
    have(cache, f"{origin.url}/m.bin")
    origin.files["/m.bin"] = BODY[::-1]
    assert (have(cache, f"{origin.url}/m.bin").folder / "m.bin").read_bytes() == BODY[::-1]


def test_many_at_once_download_once(origin: Origin, cache: Cache) -> None:
    found: list[Entry] = []
    crew = [
        threading.Thread(target=lambda: found.append(have(cache, f"{origin.url}/m.bin")))
        for _ in range(6)
    ]
    for each in crew:
        each.start()
    for each in crew:
        each.join()
    assert len({entry.folder for entry in found}) == 1
    parts = [h["range"] for _, _, h in origin.requests if h["range"] != "bytes=0-19999"]
    assert len(parts) == len(set(parts))


def test_waiting_for_another_has_a_deadline(tmp_path: Path) -> None:
    with (
        held(tmp_path / "lock", 1),
        pytest.raises(StorageError, match=r"another process has been fetching .* 0\.1 s"),
        held(tmp_path / "lock", 0.1),
    ):
        pass


def test_old_leftovers_are_swept(origin: Origin, cache: Cache) -> None:
    have(cache, f"{origin.url}/m.bin")
    (cache.root / "partial/dead").mkdir()
    assert cache.sweep(3600) == 0
    assert cache.sweep(0) == 1
