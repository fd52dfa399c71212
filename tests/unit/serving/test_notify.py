"""What is said about a start, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictors.serving import notify
from predictors.serving.notify import Notifier


def test_the_reason_of_an_end_is_left_where_the_kubelet_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    monkeypatch.setattr(notify, "TERMINATION_LOG", log)
    Notifier(None).failed("Cannot serve model m: " + "x" * 5000)
    assert log.read_text().startswith("Cannot serve model m: xxx")
    assert len(log.read_bytes()) == 4096


def test_outside_of_containers_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "TERMINATION_LOG", tmp_path / "absent")
    Notifier(None).failed("Cannot serve model m.")
    assert not list(tmp_path.iterdir())
