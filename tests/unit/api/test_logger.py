"""What is wrong with a logger that stores, is said by field."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.inferenceservice.component import Logger
from rouse.api.inferenceservice.logger import check_logger, duration_s

STORED = {"url": "s3://logs", "storage": {}}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("5s", 5.0), ("100ms", 0.1), ("1m30s", 90.0), ("1.5h", 5400.0), (".5s", 0.5)],
)
def test_durations_are_those_of_go(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "5s!", "-5s", "5sx", "x5s"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert duration_s(text) is None


@pytest.mark.parametrize(
    ("logger", "field", "said"),
    [
        ({"batchInterval": "soon"}, "batchInterval", '"soon" is no duration'),
        ({"marshallerUrl": "ftp://x"}, "marshallerUrl", "must begin with http"),
        ({"url": "http://sink", "storage": {}}, "url", "names no bucket"),
        (
            {**STORED, "storage": {"parameters": {"format": "xml"}}},
            "storage.parameters.format",
            "allowed: csv, json, parquet",
        ),
        (
            {**STORED, "storage": {"parameters": {"secret_access_key": "x"}}},
            "storage.parameters.secret_access_key",
            "plain text",
        ),
        ({**STORED, "storage": {"path": "a/../.."}}, "storage.path", "upwards"),
    ],
)
def test_a_wrong_field_is_named(logger: dict[str, Any], field: str, said: str) -> None:
    (found,) = check_logger(Logger.model_validate(logger), "spec.predictor.logger")
    assert found.path == f"spec.predictor.logger.{field}"
    assert said in found.message


def test_a_right_one_has_no_findings() -> None:
    storage = {"key": "k", "path": "/a", "parameters": {"format": "csv"}, "serviceAccountName": "s"}
    given = {**STORED, "storage": storage, "batchSize": 10, "batchInterval": "5s"}
    assert not [*check_logger(Logger.model_validate(given), "x")]
