"""What an origin may do to a download, and what becomes of it."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from predictors.serving.errors import StorageError
from predictors.storage import fetched
from predictors.storage.download import download
from tests.unit.storage.doubles.web import Handler, Origin, serving

BODY = random.Random(1).randbytes(300_000)
ENV = {
    "ROUSE_STORAGE_PART_BYTES": "40000",
    "ROUSE_STORAGE_BACKOFF_SECONDS": "0.001",
    "ROUSE_STORAGE_STALL_SECONDS": "0.2",
}


@pytest.fixture(autouse=True)
def model(origin: Origin) -> None:
    origin.files["/m.bin"] = BODY


def got(origin: Origin, uri: str = "/m.bin", **env: str) -> bytes:
    with fetched(origin.url + uri, env={**ENV, **env}) as folder:
        (file,) = folder.iterdir()
        return file.read_bytes()


def refused(origin: Origin, uri: str = "/m.bin", **env: str) -> str:
    with pytest.raises(StorageError) as refusal:
        got(origin, uri, **env)
    return str(refusal.value)


def test_parts_are_asked_for_once_each(origin: Origin) -> None:
    assert got(origin) == BODY
    asked = sorted(int(h["range"][6:].split("-")[0]) for _, _, h in origin.requests)
    assert asked == list(range(0, 300_000, 40_000))


def test_a_small_model_takes_one_request(origin: Origin) -> None:
    origin.files["/s.bin"] = b"small"
    assert got(origin, "/s.bin") == b"small"
    assert len(origin.requests) == 1


@pytest.mark.parametrize("size", [0, 1, 39_999, 40_000, 40_001])
def test_edges_of_parts(origin: Origin, size: int) -> None:
    origin.files["/m.bin"] = BODY[:size]
    assert got(origin) == BODY[:size]


def test_an_origin_without_ranges_is_read_from_one_connection(origin: Origin) -> None:
    origin.ranges = False
    assert got(origin) == BODY


def test_broken_answers_are_tried_again(origin: Origin) -> None:
    def cut(handler: Handler) -> bool:
        handler.file("/m.bin", cut=1000)
        return True

    def overloaded(handler: Handler) -> bool:
        handler.answer(503, b"", **{"retry-after": "0"})
        return True

    def closed(handler: Handler) -> bool:
        handler.close_connection = True
        return True

    for number, fault in enumerate((overloaded, cut, closed, cut, overloaded)):
        origin.once(fault, when=number)
    assert got(origin) == BODY


def test_a_broken_part_goes_on_where_it_ended(origin: Origin) -> None:
    def cut(handler: Handler) -> bool:
        handler.file("/m.bin", cut=1234)
        return True

    origin.once(cut)
    assert got(origin, ROUSE_STORAGE_PART_BYTES="1000000") == BODY
    assert [h["range"] for _, _, h in origin.requests] == ["bytes=0-999999", "bytes=1234-299999"]


def test_a_cut_in_the_first_answer_leaves_no_gap(origin: Origin) -> None:
    def cut(handler: Handler) -> bool:
        handler.file("/m.bin", cut=1234)
        return True

    origin.once(cut)
    # Parts of 18 750 bytes, of which the first request asked for 10 000.
    assert got(origin, ROUSE_STORAGE_PART_BYTES="10000") == BODY


def test_without_ranges_a_broken_download_starts_again(origin: Origin) -> None:
    def cut(handler: Handler) -> bool:
        handler.file("/m.bin", cut=1234)
        return True

    origin.ranges = False
    origin.once(cut)
    assert got(origin) == BODY


def test_a_stall_is_found_and_bounded(origin: Origin) -> None:
    ended = threading.Event()

    def stalled(handler: Handler) -> bool:
        ended.wait(20)
        return True

    origin.faults.append(stalled)
    try:
        said = refused(origin, ROUSE_STORAGE_ATTEMPTS="2")
    finally:
        ended.set()
    assert "/m.bin: cannot be downloaded: " in said
    assert "no byte came for 0.2 s (2 attempts)" in said
    assert "Check that the origin is up" in said


@pytest.mark.parametrize("sent", [0, 10])
def test_one_stall_costs_nothing_but_time(origin: Origin, sent: int) -> None:
    ended = threading.Event()

    def stalled(handler: Handler) -> bool:
        handler.file("/m.bin", cut=sent)
        handler.wfile.flush()
        ended.wait(20)
        return True

    origin.once(stalled, when=2)
    try:
        assert got(origin) == BODY
    finally:
        ended.set()


def test_a_file_replaced_meanwhile_comes_whole(origin: Origin) -> None:
    other = BODY[::-1]

    def replaced(_: Handler) -> bool:
        origin.files["/m.bin"] = other
        return False

    origin.once(replaced, when=3)
    assert got(origin) == other


def test_a_file_that_never_rests_is_refused(origin: Origin) -> None:
    count = iter(range(1000))

    def changed(_: Handler) -> bool:
        origin.etags["/m.bin"] = f'"{next(count)}"'
        return False

    origin.faults.append(changed)
    assert "changed during its download" in refused(origin)


@pytest.mark.parametrize("form", ["#sha256={}", "?sha256={}", "?a=1&sha256={}"])
def test_a_checksum_in_the_location_is_held_and_not_sent(origin: Origin, form: str) -> None:
    right = hashlib.sha256(BODY).hexdigest()
    assert got(origin, "/m.bin" + form.format(right)) == BODY
    assert not [path for _, path, _ in origin.requests if "sha256" in path]
    said = refused(origin, "/m.bin" + form.format("0" * 64))
    assert f"its sha256 checksum is {right}, and should be 000" in said


def test_final_answers_are_not_tried_again(origin: Origin) -> None:
    def denied(handler: Handler) -> bool:
        handler.answer(403, b"")
        return True

    origin.faults.append(denied)
    assert "/m.bin: answered 403 Forbidden." in refused(origin)
    assert len(origin.requests) == 1


def test_a_full_disk_is_told_before_the_first_byte(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    said = refused(origin)
    assert "300000 bytes are to be downloaded" in said
    assert "1000 bytes free" in said


def test_an_interrupted_download_goes_on_in_the_same_folder(origin: Origin, tmp_path: Path) -> None:
    def denied(handler: Handler) -> bool:
        handler.answer(403, b"")
        return True

    origin.once(denied, when=4)
    env = {**ENV, "ROUSE_STORAGE_CONNECTIONS": "1"}
    with pytest.raises(StorageError):
        download(f"{origin.url}/m.bin", tmp_path, env=env)
    before = len(origin.requests)
    folder = download(f"{origin.url}/m.bin", tmp_path, env=env)
    assert (folder / "m.bin").read_bytes() == BODY
    # One look at the file, and the four parts that were missing.
    assert len(origin.requests) - before == 5


def test_a_journal_of_another_revision_counts_for_nothing(origin: Origin, tmp_path: Path) -> None:
    download(f"{origin.url}/m.bin", tmp_path, env=ENV)
    origin.files["/m.bin"] = BODY[::-1]
    folder = download(f"{origin.url}/m.bin", tmp_path, env=ENV)
    assert (folder / "m.bin").read_bytes() == BODY[::-1]


def test_a_file_that_went_missing_is_fetched_whatever_the_journal_says(
    origin: Origin, tmp_path: Path
) -> None:
    folder = download(f"{origin.url}/m.bin", tmp_path, env=ENV)
    os.truncate(folder / "m.bin", 10)
    assert (download(f"{origin.url}/m.bin", tmp_path, env=ENV) / "m.bin").read_bytes() == BODY


@pytest.fixture
def elsewhere() -> Iterator[Origin]:
    with serving(Origin()) as made:
        made.files["/m.bin"] = BODY
        yield made


def test_secrets_go_to_their_host_and_nowhere_else(
    origin: Origin, elsewhere: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    env = {"127.0.0.1-headers": '{"authorization": "Bearer hush"}'}
    origin.redirects["/moved.bin"] = f"{elsewhere.url}/m.bin?sig=whisper"
    assert got(origin, "/moved.bin", **env) == BODY
    assert {h.get("authorization") for _, _, h in origin.requests} == {"Bearer hush"}
    assert not [h for _, _, h in elsewhere.requests if "authorization" in h]
    elsewhere.files.clear()
    said = refused(origin, "/moved.bin?key=hidden", **env) + caplog.text
    assert "answered 404" in said
    assert not [word for word in ("hush", "whisper", "hidden") if word in said]


def test_a_password_in_the_location_is_sent_and_not_told(origin: Origin) -> None:
    with_user = Origin()
    with_user.url = origin.url.replace("://", "://me:hush@")
    assert got(with_user) == BODY
    assert origin.requests[0][2]["authorization"] == "Basic bWU6aHVzaA=="
    assert "hush" not in refused(with_user, "/none")


def test_settings_that_are_no_numbers_are_named(origin: Origin) -> None:
    assert "ROUSE_STORAGE_ATTEMPTS is 'x'" in refused(origin, ROUSE_STORAGE_ATTEMPTS="x")
    assert "takes a number above 0" in refused(origin, ROUSE_STORAGE_CONNECTIONS="-1")
