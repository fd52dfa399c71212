from __future__ import annotations

import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from predictors.serving.errors import StorageError
from predictors.storage import fetched, find_one, redacted

NAMES = ("model.joblib", "model.pkl")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server of the folder tmp_path/site."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_local_folders_are_used_in_place(tmp_path: Path) -> None:
    for uri in (str(tmp_path), f"file://{tmp_path}"):
        with fetched(uri) as folder:
            assert folder == tmp_path


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("/no/such/place", "/no/such/place does not exist. Check storageUri."),
        ("file:///no/such/place", "file:///no/such/place does not exist. Check"),
        ("file://models/iris", "file://models/iris: file:// takes an absolute path"),
        ("pvc://claim/iris", "pvc://claim/iris: a pvc:// volume is mounted by the platform"),
        ("nope://key:secret@bucket/iris", "nope://bucket/iris: scheme nope:// is not supported"),
        (
            "http://127.0.0.1:1/model.joblib",
            "http://127.0.0.1:1/model.joblib: cannot be",
        ),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1/: the URL names no file."),
    ],
)
def test_refused_with_the_place_and_what_to_do(uri: str, reason: str) -> None:
    with pytest.raises(StorageError) as refusal, fetched(uri):
        pass
    assert str(refusal.value).startswith(reason)


def test_a_file_is_downloaded_and_removed(site: str, tmp_path: Path) -> None:
    (tmp_path / "site/model.joblib").write_bytes(b"weights")
    with fetched(f"{site}/model.joblib?token=x") as folder:
        assert find_one(folder, NAMES).read_bytes() == b"weights"
    assert not folder.exists()


def test_a_missing_file_names_the_answer(site: str) -> None:
    refusal = pytest.raises(StorageError, match=r"model\.joblib: answered 404")
    with refusal, fetched(f"{site}/model.joblib"):
        pass


@pytest.mark.parametrize("suffix", ["tar.gz", "zip"])
def test_an_archive_is_unpacked(site: str, tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"site/m.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("model.pkl", "weights")
    else:
        with tarfile.open(archive, "w:gz") as opened_tar:
            _add(opened_tar, "./model.pkl", b"weights")
    with fetched(f"{site}/m.{suffix}") as folder:
        assert find_one(folder, NAMES).read_bytes() == b"weights"


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil"])
def test_an_archive_cannot_write_outside(site: str, tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "site/m.tar", "w") as opened:
        _add(opened, name, b"evil")
    with pytest.raises(StorageError, match="outside its folder"), fetched(f"{site}/m.tar"):
        pass


def test_links_in_an_archive_are_left_out(site: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "site/m.tar", "w") as opened:
        link = tarfile.TarInfo("model.pkl")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened.addfile(link)
    with fetched(f"{site}/m.tar") as folder, pytest.raises(StorageError, match="holds none of"):
        find_one(folder, NAMES)


def test_a_broken_archive_is_named(site: str, tmp_path: Path) -> None:
    (tmp_path / "site/m.zip").write_bytes(b"PK broken")
    refusal = pytest.raises(StorageError, match=r"m\.zip is not a valid archive")
    with refusal, fetched(f"{site}/m.zip"):
        pass


def test_exactly_one_model_is_expected(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"holds none of .*It holds: nothing"):
        find_one(tmp_path, NAMES)
    (tmp_path / "weights.bin").touch()
    with pytest.raises(StorageError, match=r"It holds: weights\.bin"):
        find_one(tmp_path, NAMES)
    for name in NAMES:
        (tmp_path / name).touch()
    with pytest.raises(StorageError, match=r"several models \(model\.joblib, model\.pkl\)"):
        find_one(tmp_path, NAMES)
    assert find_one(tmp_path / "model.pkl", NAMES).name == "model.pkl"


def test_secrets_are_not_told() -> None:
    assert redacted("https://me:secret@host/a?sig=1") == "https://host/a"


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
