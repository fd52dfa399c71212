"""Archives of any kind, hostile ones among them."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictors.serving.errors import StorageError
from predictors.storage.archives import unpack
from predictors.storage.plan import Unpack

NAMES = st.text(alphabet="ab./\\\0é", min_size=1, max_size=12)
LINKS = (tarfile.SYMTYPE, tarfile.LNKTYPE)
SPECIAL = (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.GNUTYPE_SPARSE)
KINDS = st.sampled_from([tarfile.REGTYPE, *LINKS, *SPECIAL])


def tar_of(*members: tuple[str, bytes, bytes], mode: str = "w") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as opened:  # type: ignore[call-overload]
        for name, kind, body in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "../../../../etc/passwd"
            member.size = len(body) if kind == tarfile.REGTYPE else 0
            opened.addfile(member, io.BytesIO(body))
    return made.getvalue()


def unpacked(body: bytes, folder: Path, form: str = "tar", **options: int) -> dict[str, bytes]:
    archive = folder / "archive"
    archive.write_bytes(body)
    unpack(archive, folder / "out", Unpack(form), name="m", **options)
    return {
        str(path.relative_to(folder / "out")): path.read_bytes()
        for path in (folder / "out").rglob("*")
        if path.is_file()
    }


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(NAMES, KINDS, st.binary(max_size=20)), max_size=6))
def test_no_tar_leaves_its_folder_or_makes_a_link(members: list[tuple[str, bytes, bytes]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        try:
            unpacked(tar_of(*members), folder)
        except StorageError:
            pass
        assert sorted(os.listdir(folder)) == ["archive", "out"]
        for inner, _, files in os.walk(folder / "out"):
            assert all(stat.S_ISREG(os.lstat(Path(inner, each)).st_mode) for each in files)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=600), st.integers(0, 1500), st.sampled_from(["w", "w:gz", "w:xz"]))
def test_damaged_archives_are_refused_in_words(noise: bytes, at: int, mode: str) -> None:
    body = bytearray(tar_of(("a", tarfile.REGTYPE, b"x" * 700), mode=mode))
    body[at : at + len(noise)] = noise
    with TemporaryDirectory() as name:
        try:
            unpacked(bytes(body), Path(name))
        except StorageError:
            return


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_every_compression(tmp_path: Path, mode: str) -> None:
    body = tar_of(("./d/m.pkl", tarfile.REGTYPE, b"weights"), mode=mode)
    assert unpacked(body, tmp_path) == {"d/m.pkl": b"weights"}


def test_zstd_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"zstd|not a valid archive"):
        unpacked(b"\x28\xb5\x2f\xfd" + b"x" * 30, tmp_path)


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_bombs_are_stopped(tmp_path: Path, form: str) -> None:
    if form == "tar":
        body = tar_of(("zeros", tarfile.REGTYPE, bytes(3_000_000)), mode="w:gz")
    else:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("zeros", bytes(3_000_000))
        body = made.getvalue()
    with pytest.raises(StorageError, match="m unpacks to more than 2000000 bytes"):
        unpacked(body, tmp_path, form, limit=2_000_000)


def test_a_header_that_claims_gigabytes_is_no_memory(tmp_path: Path) -> None:
    member = tarfile.TarInfo("x" * 50)
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 8 * 1024**3 - 1
    body = member.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
    with pytest.raises(StorageError, match="absurd size"):
        unpacked(body, tmp_path)


def test_links_and_strangers_in_a_zip_are_left_out(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(link, "/etc/passwd")
        opened.writestr("m.pkl", b"w")
    assert unpacked(made.getvalue(), tmp_path, "zip") == {"m.pkl": b"w"}


def test_a_file_that_is_also_a_folder_is_told(tmp_path: Path) -> None:
    members = (("a", tarfile.REGTYPE, b"1"), ("a/b", tarfile.REGTYPE, b"2"))
    with pytest.raises(StorageError, match="both a file and a folder"):
        unpacked(tar_of(*members), tmp_path)
