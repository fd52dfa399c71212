"""The page of the model server is held to the server: its commands run, its tables are whole."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from predictors.serving.cli import parser_of

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/model-server.md").read_text()
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _examples() -> Iterator[tuple[str, str]]:
    """Each curl of the page, in order, and the answer that is shown below it."""
    for block in BLOCK.findall(PAGE):
        for command in block.split("$ ")[1:]:
            line, _, answer = command.partition("\n")
            if line.startswith("curl "):
                yield line, answer.strip()


@contextmanager
def _server(*flags: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [sys.executable, "-m", "predictors.sklearn", f"--http_port={port}", *flags]
    process = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 40
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/v2/health/ready").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(20) == 0


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    models = tmp_path_factory.mktemp("models")
    (models / "iris").mkdir()
    rows, classes = load_iris(return_X_y=True)
    joblib.dump(
        LogisticRegression(max_iter=500).fit(rows, classes), models / "iris" / "model.joblib"
    )
    with ExitStack() as stack:
        one = stack.enter_context(_server("--model_name=iris", f"--model_dir={models / 'iris'}"))
        many = stack.enter_context(_server(f"--model_repository={models}"))
        yield {"localhost:8080": one, "localhost:8082": many}


def test_every_curl_answers_as_it_is_shown(places: dict[str, str]) -> None:
    examples = list(_examples())
    assert len(examples) > 9
    for line, shown in examples:
        argv = shlex.split(line)
        for told, real in places.items():
            argv = [word.replace(told, real) for word in argv]
        answered = subprocess.run(
            [*argv, "-sS", "--fail-with-body"], capture_output=True, check=False, timeout=20
        )
        assert answered.returncode == 0, (line, answered)
        assert answered.stdout
        if shown:
            assert json.loads(answered.stdout) == json.loads(shown), line


def test_every_flag_is_in_the_table() -> None:
    told = set(re.findall(r"^\| `(--\w+)`", PAGE, re.MULTILINE))
    known = {
        option
        for action in parser_of("sklearn", {})._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }
    assert told == known


def test_every_variable_of_the_logger_is_in_the_table() -> None:
    source = (ROOT / "predictors/serving/payloads/settings.py").read_text()
    read = set(re.findall(r'given(?:\.get\(|, )"([A-Z_]+)"', source))
    told = set(re.findall(r"`ROUSE_LOGGER_([A-Z_]+)`", PAGE))
    assert len(read) > 15
    assert told == read
