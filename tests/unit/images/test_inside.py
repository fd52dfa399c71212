"""The scripts that run inside a build, on folders of the test."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from scripts.images.inside import inventory, stages


def pyc(file: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(file)))


def test_pycs_do_not_depend_on_modification_times(tmp_path: Path) -> None:
    made = []
    for time in (1, 1_000_000):
        source = tmp_path / "module.py"
        source.write_text("X = {'a', 'b'}\n")
        os.utime(source, (time, time))
        assert stages.compiled(tmp_path)
        made.append(pyc(source).read_bytes())
    assert made[0] == made[1]
    assert made[0][4:8] == b"\x01\0\0\0", "a hash that is not checked"


def test_a_file_that_does_not_compile_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def\n")
    assert not stages.compiled(tmp_path)


def test_tests_are_left_out_wherever_they_are(tmp_path: Path) -> None:
    for name in ("lib/tests/data", "lib/inner/tests", "lib/testing"):
        (tmp_path / name).mkdir(parents=True)
    stages.prune(tmp_path)
    assert sorted(p.name for p in (tmp_path / "lib").rglob("*")) == ["inner", "testing"]


def test_modes_are_those_of_a_usual_umask(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir(mode=0o700)
    for name, mode in (("bin/tool", 0o700), ("bin/data", 0o600)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    stages.level(tmp_path)
    modes = {p.name: p.stat().st_mode & 0o777 for p in tmp_path.rglob("*")}
    assert modes == {"bin": 0o755, "tool": 0o755, "data": 0o644}


def test_installers_leave_with_their_metadata(tmp_path: Path) -> None:
    for name in ("pip", "pip-24.0.dist-info", "setuptools", "pipeline", "numpy"):
        (tmp_path / name).mkdir()
    stages.remove_installers(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["numpy", "pipeline"]


def test_uid_1000_has_one_name(tmp_path: Path) -> None:
    passwd = tmp_path / "passwd"
    passwd.write_text("root:x:0:0:root:/root:/bin/sh\n")
    stages.add_user(passwd)
    stages.add_user(passwd)
    assert passwd.read_text().splitlines()[1:] == [stages.USER.strip()]


def test_debian_packages_are_those_installed(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nDescription: a\n b\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
        "Package: base-files\nStatus: install ok installed\nVersion: 12.4\n"
    )
    assert inventory.debian(status) == [
        {"package": "base-files", "version": "12.4"},
        {"package": "libc6", "version": "2.36-9"},
    ]
    assert inventory.debian(tmp_path / "absent") == []


def test_libraries_are_listed_once_with_what_they_require() -> None:
    found = {str(entry["name"]).lower(): entry for entry in inventory.libraries()}
    assert found["httpx"]["requires"] == ["anyio", "certifi", "httpcore", "idna"]
