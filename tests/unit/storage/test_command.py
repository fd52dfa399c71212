"""The command line of a node's cache: budget, peers, checksums, and being killed."""

from __future__ import annotations

import hashlib
import io
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from predictors.storage.budget import Budget, published_bytes
from predictors.storage.cache import Cache
from predictors.storage.command import main
from predictors.storage.errors import BudgetError
from tests.unit.storage.doubles.web import Handler, Origin

BODY = random.Random(4).randbytes(300_000)
REPOSITORY = Path(__file__).resolve().parents[3]
Run = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def run(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    def run(*words: str, cache: str = "cache") -> tuple[int, list[dict[str, Any]]]:
        code = main(["--cache", str(tmp_path / cache), *words])
        lines = capfdbinary.readouterr().out.splitlines()
        return code, [orjson.loads(line) for line in lines]

    return run


@pytest.fixture(autouse=True)
def model(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    origin.files |= {"/m.bin": BODY, "/same.bin": BODY, "/n.bin": BODY[::-1]}
    monkeypatch.setenv("ROUSE_STORAGE_PART_BYTES", "20000")
    monkeypatch.setenv("ROUSE_STORAGE_ATTEMPTS", "1")


def test_a_model_is_fetched_listed_verified_and_evicted(run: Run, origin: Origin) -> None:
    code, told = run("fetch", f"{origin.url}/m.bin")
    assert (code, told[-1]["event"], told[-1]["bytes"], told[-1]["new"]) == (
        0,
        "fetched",
        300_000,
        True,
    )
    assert {"event": "progress", "done": 300_000, "total": 300_000} in told
    assert run("fetch", f"{origin.url}/m.bin")[1][-1]["new"] is False
    _, (listed, cache) = run("list")
    assert (listed["sealed"], listed["settled"]) == (True, True)
    assert listed["fetched_at"] <= time.time()
    assert cache == {"event": "cache", "bytes": 300_000, "budget": 0}
    assert run("verify") == (0, [])
    assert run("evict", listed["digest"]) == (0, [{"event": "evicted", "digest": listed["digest"]}])
    assert run("list")[1] == [{"event": "cache", "bytes": 0, "budget": 0}]


def test_equal_bytes_are_stored_once(run: Run, origin: Origin, tmp_path: Path) -> None:
    first = run("fetch", f"{origin.url}/m.bin")[1][-1]["digest"]
    second = run("fetch", f"{origin.url}/same.bin")[1][-1]["digest"]
    models = tmp_path / "cache/models"
    inodes = {
        (models / first / "files/m.bin").stat().st_ino,
        (models / second / "files/same.bin").stat().st_ino,
    }
    assert len(inodes) == 1
    run("evict", first)
    assert (models / second / "files/same.bin").read_bytes() == BODY
    run("evict", second)
    assert not list((tmp_path / "cache/blobs").iterdir())


def test_what_rots_on_the_disk_is_found_and_fetched_again(
    run: Run, origin: Origin, tmp_path: Path
) -> None:
    digest = run("fetch", f"{origin.url}/m.bin")[1][-1]["digest"]
    (tmp_path / "cache/models" / digest / "files/m.bin").write_bytes(bytes(300_000))
    assert run("verify") == (1, [{"event": "damaged", "digest": digest, "files": ["m.bin"]}])
    assert run("fetch", f"{origin.url}/m.bin")[1][-1]["new"] is True
    assert run("verify") == (0, [])


def test_the_budget_is_looked_at_before_the_first_byte(run: Run, origin: Origin) -> None:
    assert run("--budget", "500000", "fetch", f"{origin.url}/m.bin")[0] == 0
    code, told = run("--budget", "500000", "fetch", f"{origin.url}/n.bin")
    assert (code, told[-1]["reason"], told[-1]["needed"]) == (1, "Budget", 300_000)
    assert "200000 of its 500000 bytes" in told[-1]["message"]
    # Another process has claimed what is left.
    assert run("--budget", "600000", "fetch", f"{origin.url}/n.bin")[0] == 0
    assert run("list")[1][-1]["bytes"] == 600_000


def test_claims_of_all_processes_add_up(tmp_path: Path) -> None:
    for digest in ("a", "b"):
        (tmp_path / "partial" / digest).mkdir(parents=True)
    first, second = Budget(tmp_path, "a", 10**6), Budget(tmp_path, "b", 10**6)
    first.claim(600_000)
    with pytest.raises(BudgetError) as caught:
        second.claim(500_000)
    assert (caught.value.needed, caught.value.free) == (500_000, 400_000)
    second.claim(100_000)
    second.grow(90_000)
    assert second.claim_most(10**7) == 300_000
    with pytest.raises(BudgetError):
        first.grow(600_001)
    first.claim(600_000)


def test_a_file_of_unknown_size_stops_at_the_budget(run: Run, origin: Origin) -> None:
    def chunked(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("transfer-encoding", "chunked")
        handler.send_header("etag", '"1"')
        handler.end_headers()
        for at in range(0, len(BODY), 50_000):
            handler.wfile.write(b"c350\r\n" + BODY[at : at + 50_000] + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")
        return True

    origin.faults.append(chunked)
    code, told = run("--budget", "120000", "fetch", f"{origin.url}/m.bin")
    assert (code, told[-1]["reason"]) == (1, "Budget")
    (partial,) = [each for each in run("list")[1] if each["event"] == "partial"]
    assert partial["bytes"] <= 128_000
    assert run("--budget", "400000", "fetch", f"{origin.url}/m.bin")[1][-1]["bytes"] == 300_000


def test_an_archive_that_unpacks_beyond_the_budget_is_given_up(run: Run, origin: Origin) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        inside = tarfile.TarInfo("zeros")
        inside.size = 2_000_000
        archive.addfile(inside, io.BytesIO(bytes(2_000_000)))
    origin.files["/m.tgz"] = packed.getvalue()
    code, told = run("--budget", "1000000", "fetch", f"{origin.url}/m.tgz")
    assert (code, told[-1]["reason"]) == (1, "Budget")
    code, told = run("--budget", "3000000", "fetch", f"{origin.url}/m.tgz")
    assert (code, told[-1]["bytes"]) == (0, 2_000_000)
    assert run("--budget", "3000000", "list")[1][-1]["bytes"] == 2_000_000


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://127.0.0.1:9/m.bin", "OriginUnreachable"),
        ("{origin}/m.bin#sha256=" + "0" * 64, "ChecksumMismatch"),
        ("{origin}/absent.bin", "Failed"),
        ("ftp://nobody/m", "Failed"),
    ],
)
def test_why_a_model_did_not_come(run: Run, origin: Origin, uri: str, reason: str) -> None:
    code, told = run("fetch", uri.replace("{origin}", origin.url))
    assert (code, told[-1]["event"], told[-1]["reason"]) == (1, "failed", reason)


def test_a_peer_is_asked_before_the_origin(run: Run, origin: Origin, tmp_path: Path) -> None:
    digest = run("fetch", f"{origin.url}/m.bin", cache="there")[1][-1]["digest"]
    origin.requests.clear()
    peers = ["--peer", str(tmp_path / "nothing"), "--peer", str(tmp_path / "there")]
    told = run(*peers, "fetch", f"{origin.url}/m.bin")[1][-1]
    assert (told["digest"], told["new"]) == (digest, True)
    # Its revision, and nothing else.
    assert len(origin.requests) == 1


def test_a_peer_with_other_bytes_is_left(run: Run, origin: Origin, tmp_path: Path) -> None:
    digest = run("fetch", f"{origin.url}/m.bin", cache="there")[1][-1]["digest"]
    (tmp_path / "there/models" / digest / "files/m.bin").write_bytes(bytes(300_000))
    assert run("--peer", str(tmp_path / "there"), "fetch", f"{origin.url}/m.bin")[0] == 0
    entry = Cache(tmp_path / "cache").entry(digest)
    assert entry is not None
    assert (
        hashlib.sha256((entry.folder / "m.bin").read_bytes()).digest()
        == hashlib.sha256(BODY).digest()
    )


@pytest.mark.timeout(120)
def test_killed_anywhere_nothing_corrupt_is_published_and_the_budget_holds(
    origin: Origin, tmp_path: Path
) -> None:
    def slowly(_: Handler) -> bool:
        time.sleep(0.004)
        return False

    origin.faults.append(slowly)
    cache = Cache(tmp_path / "cache")
    uri = f"{origin.url}/m.bin"
    command = [sys.executable, "-m", "predictors.storage", "--cache", str(cache.root)]
    command += ["--budget", "400000", "fetch", uri]
    dice = random.Random(5)
    for _ in range(20):
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        try:
            process.wait(dice.uniform(0.1, 0.35))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for entry in cache.entries():
            assert (entry.folder / "m.bin").read_bytes() == BODY
            cache.remove(entry.digest)
        assert published_bytes(cache.root) <= 400_000
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    assert orjson.loads(done.stdout.splitlines()[-1])["event"] == "fetched"
