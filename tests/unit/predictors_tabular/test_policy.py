from __future__ import annotations

import logging
from pathlib import Path

import pytest

from predictors.serving.errors import ModelLoadError
from predictors.serving.policy import Mode, Policy
from predictors.tabular.cpus import usable_cpus


def test_all_is_allowed_by_default_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Policy.of({}).check("a pickle", "/models/model.pkl", "iris")
    [record] = caplog.records
    assert "model iris: a pickle can run any code" in record.getMessage()


def test_a_trusted_source_is_loaded_silently(caplog: pytest.LogCaptureFixture) -> None:
    env = {"ROUSE_UNSAFE_FORMATS": "trusted", "ROUSE_TRUSTED_SOURCES": "s3://ours/, /mnt/models"}
    Policy.of({**env, "STORAGE_URI": "s3://ours/iris"}).check("a pickle", "/tmp/x", "iris")
    Policy.of(env).check("a pickle", "/mnt/models/model.pkl", "iris")
    assert not caplog.records


@pytest.mark.parametrize(
    "uri", ["s3://ours-not/iris", "s3://other/iris", "s3://ours/../other/iris", "s3://our"]
)
def test_other_sources_are_refused_with_what_helps(uri: str) -> None:
    policy = Policy(Mode.TRUSTED, ("s3://ours",), uri)
    with pytest.raises(ModelLoadError, match=r"not below any of ROUSE_TRUSTED_SOURCES.*skops"):
        policy.check("a pickle", "/tmp/x", "iris")


def test_deny_denies_trusted_sources_too() -> None:
    with pytest.raises(ModelLoadError, match="such formats are denied here"):
        Policy(Mode.DENY, ("/m",)).check("a pickle", "/m/model.pkl", "iris")


def test_a_mode_that_is_none() -> None:
    with pytest.raises(ModelLoadError, match="'maybe'; it must be one of allow, trusted, deny"):
        Policy.of({"ROUSE_UNSAFE_FORMATS": "maybe"})


@pytest.mark.parametrize(("quota", "cores"), [("50000 100000", 1), ("max 100000", None)])
def test_the_quota_bounds_the_threads(quota: str, cores: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    everything = usable_cpus(tmp_path / "absent")
    assert usable_cpus(tmp_path / "cpu.max") == (cores or everything)
