from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rouse.embedded.engine.daemon import EngineOptions, start
from rouse.embedded.engine.proc import descendants, inspect
from rouse.embedded.engine.state import EngineLock, EngineState, process_start, running
from rouse.embedded.home import Home
from rouse.errors import EngineError


def test_rouse_home_is_obeyed() -> None:
    assert Home.from_environment({"ROUSE_HOME": "/srv/rouse"}).root == Path("/srv/rouse")
    assert Home.from_environment({}).root == Path.home() / ".rouse"


def test_sockets_move_when_the_home_is_too_deep(tmp_path: Path) -> None:
    deep = Home(tmp_path / ("d" * 120))
    assert len(os.fsencode(deep.run)) < 100
    assert Home(Path("/srv/rouse")).run == Path("/srv/rouse/run")


def test_folders_are_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    for folder in (home.root, home.logs, home.volumes, home.run):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"file.*set ROUSE_HOME"):
        Home(tmp_path / "file").prepare()
    with pytest.raises(EngineError, match="set ROUSE_HOME"):
        Home(tmp_path / "file" / "below").prepare()


def test_two_parts_cannot_have_one_port(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="--api-port and --gateway-port"):
        start(Home(tmp_path), EngineOptions(6443, 6443))


def test_a_home_has_one_engine(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with EngineLock(home), pytest.raises(EngineError, match="another engine"), EngineLock(home):
        pass
    with EngineLock(home):
        pass


def test_a_state_of_a_dead_process_is_no_running_engine(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert running(home) is None
    start = process_start(os.getpid())
    assert start is not None
    state = EngineState(os.getpid(), start, 6443, 8080, 1.0, "0.1.0")
    state.write(home)
    assert running(home) == state
    EngineState(os.getpid(), start - 1, 6443, 8080, 1.0, "0.1.0").write(home)
    assert running(home) is None
    home.state_file.write_text("{")
    assert running(home) is None


def test_descendants_are_found_with_their_memory() -> None:
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = next(one for one in descendants(os.getpid()) if one.pid == child.pid)
        assert found.alive()
        assert found.rss_bytes >= found.pss_bytes > 0
        child.communicate(b"")
    assert not found.alive()
    assert inspect(child.pid) is None
