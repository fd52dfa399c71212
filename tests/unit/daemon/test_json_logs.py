"""One object a line."""

from __future__ import annotations

import logging

import orjson

from rouse.daemon.logs import JsonFormatter


def test_message_fields_and_traceback() -> None:
    try:
        raise ZeroDivisionError("a bug")
    except ZeroDivisionError as error:
        record = logging.LogRecord(
            "rouse.kube", logging.ERROR, "f.py", 1, "%s broke", ("a/b",), (type(error), error, None)
        )
    record.created = 1714564800.5
    record.controller = "inferenceservice"
    line = orjson.loads(JsonFormatter().format(record))
    assert line.pop("traceback") == "ZeroDivisionError: a bug"
    assert line == {
        "time": "2024-05-01T12:00:00.500+00:00",
        "level": "error",
        "logger": "rouse.kube",
        "message": "a/b broke",
        "controller": "inferenceservice",
    }
