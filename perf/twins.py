"""What twins save: a process from exec to its first answer, and one row's predict.

``python -m perf.twins [--rounds 9] [--kserve PYTHON] [--sklearnserver DIR]``: processes of
``python -m predictors.sklearn``, without a warm parent, of the same iris model with its twin and
without, one after the other; with ``--kserve``, the interpreter of an environment that has KServe,
its sklearn server as well (``--sklearnserver`` is its source folder where it is not installed).
Beside them the limit: a process that imports numpy and the HTTP server, and exits.

The rates are of calls in this process: the twin as a `Model`, the estimator's own method, and the
`Model` around it.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import orjson
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from perf.report import Figure, publish
from predictors.serving.model import Model
from predictors.serving.tensors import Tensor
from predictors.sklearn.runtime import RUNTIME
from predictors.twins.__main__ import main as translate
from predictors.twins.choosing import choose
from rouse.embedded.ports import free_port
from rouse.errors import RouseError

ROWS, CLASSES = load_iris(return_X_y=True)
ONE = ROWS[:1]
FLOOR = "import numpy, orjson, uvloop, granian.server.embed, predictors.serving.server"


def exec_ms(argv: Sequence[str], environ: Mapping[str, str], twin: str | None) -> float:
    """Milliseconds from exec to the first answer; raises `RouseError` if another one answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    body = orjson.dumps({"instances": ONE.tolist()})
    began = time.perf_counter()
    command = [*argv, "--model_name=iris", f"--http_port={port}"]
    if twin is None:
        command.append(f"--grpc_port={free_port()}")
    with _process(command, environ), httpx.Client(timeout=5) as http:
        while time.perf_counter() - began < 60:
            try:
                answer = http.post(f"{url}/v1/models/iris:predict", content=body)
            except httpx.TransportError:
                time.sleep(0.002)
                continue
            if answer.status_code == 200:
                elapsed = time.perf_counter() - began
                told = http.get(f"{url}/v2/models/iris").json() if twin else {}
                if twin and told["parameters"]["twin"] != twin:
                    raise RouseError(f"another one answered: {told['parameters']}")
                return elapsed * 1e3
            time.sleep(0.002)
    raise RouseError(f"{argv[2]} did not answer within 60 s")


@contextmanager
def _process(argv: Sequence[str], environ: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        argv,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def floor_ms() -> float:
    """Milliseconds of a process that imports what any answer needs."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", FLOOR], check=True)
    return (time.perf_counter() - began) * 1e3


def micros(call: Callable[[], Any], seconds: float = 0.3) -> float:
    """The best of five means, in microseconds: other processes only ever add."""
    call()
    began = time.perf_counter()
    call()
    number = max(5, int(seconds / 5 / max(1e-7, time.perf_counter() - began)))
    means = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(number):
            call()
        means.append((time.perf_counter() - began) / number * 1e6)
    return min(means)


def translated(folder: Path, estimator: Any) -> Path:
    """A folder with the fitted estimator and its twin."""
    folder.mkdir()
    joblib.dump(estimator.fit(ROWS, CLASSES), folder / "model.joblib")
    if translate(["translate", str(folder)]):
        raise RouseError(f"{type(estimator).__name__} has no twin")
    return folder


def rates(folder: Path, method: str) -> tuple[float, float, float]:
    """Microseconds of one row: by the twin, the estimator itself, the `Model` around it."""
    estimator = getattr(joblib.load(folder / "model.joblib"), method)
    twin, original = choose(RUNTIME, "iris", folder, {}).twin, RUNTIME.model("iris", folder)
    if twin is None:
        raise RouseError(f"{folder} has no twin")
    inputs = [Tensor("input", ONE)]

    def asked(model: Model) -> float:
        model.load()
        return micros(lambda: model.predict(inputs, (method,)))

    return asked(twin), micros(lambda: estimator(ONE)), asked(original)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--kserve", type=Path, help="python of an environment with KServe")
    parser.add_argument("--sklearnserver", type=Path, help="source folder of its sklearn server")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    starts: dict[str, list[float]] = defaultdict(list)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="perf-twins-") as scratch:
        iris = translated(Path(scratch, "iris"), LogisticRegression(max_iter=500))
        own = [sys.executable, "-m", "predictors.sklearn", f"--model_dir={iris}"]
        path = {"PYTHONPATH": str(options.sklearnserver)} if options.sklearnserver else {}
        peer = [str(options.kserve), "-m", "sklearnserver", f"--model_dir={iris}"]
        for _ in range(options.rounds):
            starts["floor"].append(floor_ms())
            starts["twin"].append(exec_ms(own, {"ROUSE_TWIN": "auto"}, "numpy"))
            starts["original"].append(exec_ms(own, {"ROUSE_TWIN": "off"}, "none"))
            if options.kserve:
                starts["kserve"].append(exec_ms(peer, path, None))
        for name, values in starts.items():
            bar = 350 if name == "twin" else None
            figures.append(Figure(f"exec_{name}_ms", statistics.median(values), "ms", bar))
        models = {
            "logistic": (iris, "predict"),
            "logistic_proba": (iris, "predict_proba"),
            "scaled_proba": (
                translated(
                    Path(scratch, "scaled"), make_pipeline(StandardScaler(), LogisticRegression())
                ),
                "predict_proba",
            ),
            "forest": (
                translated(Path(scratch, "forest"), RandomForestClassifier(100)),
                "predict",
            ),
        }
        for name, (folder, method) in models.items():
            twin, estimator, model = rates(folder, method)
            figures += [
                Figure(f"{name}_twin_us", twin, "us"),
                Figure(f"{name}_sklearn_us", estimator, "us"),
                Figure(f"{name}_original_us", model, "us"),
                Figure(f"{name}_rate_ratio", estimator / twin, "x", 3, at_least=True),
            ]
    publish("twins", figures)


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
