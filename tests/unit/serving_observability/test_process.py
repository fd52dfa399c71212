"""A real predictor process with everything on, and one with everything off."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import joblib
import pytest
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).parents[3]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEAVY = ("opentelemetry", "obstore", "httpx", "grpc", "pyarrow", "predictors.serving.payloads")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "iris"
    home.mkdir()
    rows = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
    joblib.dump(LogisticRegression().fit(rows, [0, 2]), home / "model.joblib")
    return home


def _started(folder: Path, env: Mapping[str, str], *flags: str) -> tuple[Any, str]:
    """The process, ready, and its URL; the node's socket says when it is."""
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(folder.parent / "notify.sock"))
    notices.settimeout(40)
    with notices, socket.create_server(("127.0.0.1", 0)) as listening:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "predictors.sklearn",
                "--model_name=iris",
                f"--model_dir={folder}",
                *flags,
            ],
            cwd=ROOT,
            env={
                **os.environ,
                **env,
                "ROUSE_LISTEN_FD": str(listening.fileno()),
                "ROUSE_NOTIFY_SOCKET": notices.getsockname(),
            },
            pass_fds=[listening.fileno()],
            stderr=subprocess.PIPE,
        )
        while json.loads(notices.recv(65536))["type"] != "ready":
            pass
        return process, f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_seen_is_brought_home_at_the_end(
    folder: Path, receiver: Any, tmp_path: Path, workers: int
) -> None:
    variables = {
        "ROUSE_LOGGER_URL": f"file://{tmp_path}/log",
        "ROUSE_LOGGER_BATCH_SECONDS": "60",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
    }
    process, url = _started(folder, variables, "--access_log", f"--workers={workers}")
    body = {"instances": [[5.1, 3.5, 1.4, 0.2]]}
    for _ in range(20):
        answer = httpx.post(
            f"{url}/v1/models/iris:predict",
            json=body,
            headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-request-id": "r-9"},
        )
        assert answer.json() == {"predictions": [0]}
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [event["id"] for event in events] == ["r-9"] * 40
    access = [json.loads(line) for line in errors.splitlines() if b"predictors.access" in line]
    assert [line["status"] for line in access] == [200] * 20
    assert {line["request_id"] for line in access} == {"r-9"}
    sent = b"".join(posted.body for posted in receiver.seen)
    assert sent.count(b"startup") == workers
    # The first calls may come before the tracer, which is imported when the server is ready.
    assert b"load" in sent


def test_nothing_is_imported_that_nobody_asked_for(folder: Path) -> None:
    told = "import sys; from predictors.serving import cli, server; "
    told += f"print([name for name in sys.modules if name.startswith({HEAVY!r})])"
    ran = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, capture_output=True, check=True, timeout=40
    )
    assert ran.stdout.strip() == b"[]"


def test_a_wrong_logger_is_told_at_the_start(folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "predictors.sklearn", f"--model_dir={folder}", "--http_port=0"],
        cwd=ROOT,
        env={**os.environ, "ROUSE_LOGGER_URL": "ftp://x"},
        capture_output=True,
        check=False,
        timeout=40,
    )
    assert ran.returncode == 1
    assert b"ROUSE_LOGGER_URL: 'ftp://x' is no sink" in ran.stderr
