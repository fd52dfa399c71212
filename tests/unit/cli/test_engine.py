from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_up_knows_which_frameworks_can_be_kept_warm(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUSE_HOME", str(tmp_path))
    ran = cli("up", "--warm", "sklearn,sklaern")
    assert ran.code == 2
    assert "--warm" in ran.err
    assert "sklaern" in ran.err
    assert (
        "there are: custom, huggingface, lightgbm, mlflow, onnx, pytorch, sklearn, xgboost"
        in ran.err
    )
    assert not list(tmp_path.iterdir())
