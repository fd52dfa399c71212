from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from predictors.serving.errors import StorageError
from predictors.storage import fetched, resolved
from predictors.storage_initializer.__main__ import main
from predictors.storage_initializer.publish import Published, publish


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text("x")
    (folder / "1/weights.bin").write_bytes(b"abc")
    return folder


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "mnt/models"


@pytest.fixture
def guarded() -> Iterator[str]:
    """A web server that sends /moved elsewhere and tells in /echo which token it was given."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("location", "/echo")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            body = self.headers.get("x-token", "none").encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_folder_is_copied_and_nothing_else_is_left(model: Path, dest: Path) -> None:
    assert publish(f"file://{model}", dest, {}) == Published(files=2, bytes=4)
    assert names(dest) == ["1/weights.bin", "config.pbtxt"]
    assert names(model) == ["1/weights.bin", "config.pbtxt"]


def test_one_file_comes_into_the_folder(model: Path, dest: Path) -> None:
    publish(str(model / "config.pbtxt"), dest, {})
    assert names(dest) == ["config.pbtxt"]


def test_a_download_comes_into_the_folder_and_a_local_archive_stays_one(
    guarded: str, model: Path, dest: Path, tmp_path: Path
) -> None:
    publish(f"{guarded}/echo", dest, {})
    assert (dest / "echo").read_text() == "none"
    archive = tmp_path / "m.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(model, arcname=".")
    publish(f"file://{archive}", tmp_path / "kept", {})
    assert names(tmp_path / "kept") == ["m.tar.gz"]


def test_run_again_it_replaces_what_it_brought_and_cleans_up(model: Path, dest: Path) -> None:
    publish(str(model), dest, {})
    (dest / ".rouse-fetching-dead").mkdir()
    (dest / "other").write_text("stays")
    (model / "config.pbtxt").write_text("new")
    publish(str(model), dest, {})
    assert (dest / "config.pbtxt").read_text() == "new"
    assert sorted(entry.name for entry in dest.iterdir()) == ["1", "config.pbtxt", "other"]


def test_a_model_below_another_one_is_not_lost(model: Path, dest: Path) -> None:
    publish(str(model / "config.pbtxt"), dest / "1", {})
    publish(str(model), dest, {})
    assert names(dest) == ["1/config.pbtxt", "1/weights.bin", "config.pbtxt"]


def test_what_fails_leaves_nothing(guarded: str, dest: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        publish("file:///no/such", dest, {})
    (tmp_path / "empty").mkdir()
    with pytest.raises(StorageError, match="no file at this location"):
        publish(str(tmp_path / "empty"), dest, {})
    with pytest.raises(StorageError, match="is not a valid archive"):
        publish(f"{guarded}/m.zip", dest, {})
    assert list(dest.iterdir()) == []


def test_a_folder_that_cannot_be_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file/models cannot be written"):
        publish(str(model), tmp_path / "file/models", {})


def test_headers_of_a_host_are_sent_to_it_and_not_where_it_redirects_to(guarded: str) -> None:
    env = {"127.0.0.1-headers": '{"X-Token": "hush"}'}
    for path, told in (("echo", "hush"), ("moved", "none")):
        with fetched(f"{guarded}/{path}", env=env) as folder:
            assert (folder / path).read_text() == told


def test_an_entry_completes_the_uri() -> None:
    entry = {"STORAGE_CONFIG": '{"type": "s3", "bucket": "b", "secret_access_key": "hush"}'}
    assert resolved("<scheme-placeholder>://iris/v1", entry) == "s3://b/iris/v1"
    over = entry | {"STORAGE_OVERRIDE_CONFIG": '{"type": "webhdfs"}'}
    assert resolved("<scheme-placeholder>://iris", over) == "webhdfs://iris"
    assert resolved("https://h/iris", {}) == "https://h/iris"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("", "says a type; the model's path is iris"),
        ('{"type": "s3"}', "says a bucket"),
        ("hush", "STORAGE_CONFIG is no JSON object"),
    ],
)
def test_an_entry_that_does_not_help_is_told_without_its_text(config: str, reason: str) -> None:
    with pytest.raises(StorageError, match=reason) as refusal:
        resolved("<scheme-placeholder>://iris", {"STORAGE_CONFIG": config})
    assert "hush" not in str(refusal.value)


def test_as_a_command_it_brings_several_models(model: Path, dest: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "predictors.storage_initializer"]
    locations = [f"file://{model}", str(dest), str(model / "config.pbtxt"), str(tmp_path / "b")]
    done = subprocess.run([*command, *locations], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert (names(dest), names(tmp_path / "b")) == (
        ["1/weights.bin", "config.pbtxt"],
        ["config.pbtxt"],
    )
    lines = [orjson.loads(line)["message"] for line in done.stderr.splitlines()]
    assert "2 files, 4 bytes" in lines[0]
    assert "1 files, 1 bytes" in lines[1]


def test_exit_codes_tell_a_failure_from_a_mistake(
    dest: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["nope://key:hush@bucket/iris", str(dest)]) == 1
    told = capfd.readouterr().err
    assert "nope://bucket/iris: scheme nope:// is not supported" in told
    assert "ClusterStorageContainer" in told
    assert "hush" not in told
    with pytest.raises(SystemExit) as ended:
        main(["file:///a"])
    assert ended.value.code == 2
    assert "every SRC needs a DEST; file:///a has none" in capfd.readouterr().err
