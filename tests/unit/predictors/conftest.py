"""Real models, trained here, and real predictor processes."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import orjson
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROOT = Path(__file__).parents[3]


def save(folder: Path, estimator: Any, name: str = "model.joblib") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(estimator, folder / name)
    return folder


@pytest.fixture(scope="session")
def iris() -> LogisticRegression:
    rows, classes = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=500).fit(rows, classes)


@pytest.fixture(scope="session")
def iris_folder(iris: LogisticRegression, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("iris"), iris)


@pytest.fixture(scope="session")
def colours_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline of one category and one number."""
    rows = np.array([["red", 1.0], ["blue", 2.0], ["red", 3.0], ["green", 8.0]], dtype=object)
    columns = ColumnTransformer(
        [
            ("colour", OneHotEncoder(handle_unknown="error"), [0]),
            ("size", StandardScaler(), [1]),
        ]
    )
    pipeline = make_pipeline(columns, LogisticRegression())
    pipeline.fit(rows, np.array(["small", "small", "small", "large"]))
    return save(tmp_path_factory.mktemp("colours"), pipeline)


@pytest.fixture(scope="session")
def line_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """y = 2 x + 1, saved as a pickle."""
    rows = np.arange(6.0).reshape(-1, 1)
    model = LinearRegression().fit(rows, 2 * rows[:, 0] + 1)
    return save(tmp_path_factory.mktemp("line"), model, "model.pkl")


class Notices:
    """The node's end of ROUSE_NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(30)
        self.seen: list[dict[str, Any]] = []

    def until(self, *types: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = orjson.loads(self._socket.recv(65536))
            self.seen.append(message)
            if message["type"] in types:
                return message

    @property
    def empty(self) -> bool:
        """Whether nothing more was told."""
        return not select.select([self._socket], [], [], 0)[0]

    def close(self) -> None:
        self._socket.close()


@dataclass
class Predictor:
    """A running predictor process on an inherited listening socket."""

    process: subprocess.Popen[bytes]
    port: int
    notices: Notices
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


Start = Callable[..., Predictor]


@contextmanager
def started(
    folder: Path, *flags: str, home: Path, env: dict[str, str] | None = None, wait: bool = True
) -> Iterator[Predictor]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = listener.getsockname()[1]
    notices = Notices(home / f"n{port}.sock")
    log = home / f"{port}.log"
    with listener, log.open("wb") as output:
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
                "ROUSE_LISTEN_FD": str(listener.fileno()),
                "ROUSE_NOTIFY_SOCKET": str(notices.path),
                # Or one that runs for 5 s leaves a twin beside the model that tests share, and
                # the next does not import its framework.
                "ROUSE_TWIN_CACHE": str(home / f"twins{port}"),
                **(env or {}),
            },
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
    try:
        if wait:
            message = notices.until("ready", "failed")
            assert message["type"] == "ready", message
        yield Predictor(process, port, notices, log)
    finally:
        process.kill()
        process.wait()
        notices.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start predictors that are gone when the test ends."""
    with ExitStack() as stack:

        def begin(folder: Path, *flags: str, **options: Any) -> Predictor:
            return stack.enter_context(started(folder, *flags, home=tmp_path, **options))

        yield begin


@pytest.fixture(scope="module")
def server(iris_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    """One iris predictor for a whole module of read-only tests."""
    home = tmp_path_factory.mktemp("server")
    with started(iris_folder, "--max_body=20000", home=home) as predictor:
        yield predictor
