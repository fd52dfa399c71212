"""Lines of the log, as JSON and as text."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import httpx
import pytest

from predictors.serving import logs
from predictors.serving.logs import AccessLog

Serve = Callable[..., str]

pytestmark = pytest.mark.usefixtures("quiet")


def _fail(message: str) -> None:
    try:
        raise ValueError("wrong\nnumber")
    except ValueError:
        logging.getLogger("some.where").exception(message)


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    _fail("it\nfailed")
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "error",
        "logger": "some.where",
        "message": "it\nfailed",
        "error": "ValueError: wrong\nnumber",
    }


def test_traces_are_for_debugging(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("debug")
    _fail("it failed")
    assert "Traceback" in json.loads(capsys.readouterr().err.splitlines()[-1])["trace"]
    logs.configure("debug", "text")
    _fail("it failed")
    assert "Traceback" in capsys.readouterr().err


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "text")
    logging.getLogger("some.where").warning("two\nlines", extra={"fields": {"model": "iris"}})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("WARNING some.where: two\\nlines model=iris")


async def test_the_access_log(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    url = serve(AccessLog())
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        path = "/v1/models/double:predict"
        answer = await client.post(path, json={"instances": [[1.0, 2.0]]}, headers={"ce-id": "i"})
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = (line for line in lines if line["logger"] == "predictors.access")
    assert 0 < line.pop("seconds") < 10
    line.pop("time")
    assert line == {
        "level": "info",
        "logger": "predictors.access",
        "message": "infer double",
        "protocol": "v1",
        "path": "/v1/models/double:predict",
        "status": 200,
        "request_bytes": len(b'{"instances":[[1.0,2.0]]}'),
        "response_bytes": len(answer.content),
        "model": "double",
        "version": "1",
        "request_id": "i",
    }
