"""The predictors' command line."""

from __future__ import annotations

import pytest

from predictors.serving.cli import main
from predictors.sklearn.runtime import SklearnRuntime


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--model-name=iris"], "--model-name=iris (did you mean --model_name?)"),
        (["--max_inflight", "8"], "--max_inflight (did you mean --max_in_flight?) 8"),
        (["--worker=2", "--x"], "--worker=2 (did you mean --workers?) --x"),
        # Flags of KServe's servers that mean something else than any of ours.
        (["--enable_docs_url=true", "--max_threads=4"], "--enable_docs_url=true --max_threads=4"),
        (["--model_class_name=Model"], "--model_class_name=Model"),
    ],
)
def test_a_flag_that_is_nearly_one_of_ours_is_told(
    flags: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("predictors.serving.logs.configure", lambda level, form: None)
    monkeypatch.setattr("predictors.serving.server.serve", lambda settings, runtime: 0)
    assert main(flags, SklearnRuntime()) == 0
    assert caplog.messages == [f"flags of other servers are ignored: {told}"]
