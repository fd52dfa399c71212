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
import io
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
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Server:
    """A command that serves iris on the port it is given, and what it adds to the environment.

    ``twin`` is what its metadata must call the one that answers; None where it knows no twins.
    """

    argv: Sequence[str]
    environ: Mapping[str, str]
    twin: str | None = None


def exec_ms(server: Server) -> float:
    """Milliseconds from exec to the first answer; raises `RouseError` if another one answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    body = orjson.dumps({"instances": ONE.tolist()})
    command = [*server.argv, "--model_name=iris", f"--http_port={port}"]
    if server.twin is None:
        command.append(f"--grpc_port={free_port()}")
    began = time.perf_counter()
    with _process(command, server.environ) as process, httpx.Client(timeout=5) as http:
        while time.perf_counter() - began < 60 and process.poll() is None:
            try:
                answer = http.post(f"{url}/v1/models/iris:predict", content=body)
            except httpx.TransportError:
                time.sleep(0.002)
                continue
            if answer.status_code == 200:
                elapsed = time.perf_counter() - began
                told = http.get(f"{url}/v2/models/iris").json() if server.twin else {}
                if server.twin and told["parameters"]["twin"] != server.twin:
                    raise RouseError(f"another one answered: {told['parameters']}")
                return elapsed * 1e3
            time.sleep(0.002)
    how = "within 60 s" if process.returncode is None else f"and ended with {process.returncode}"
    raise RouseError(f"{' '.join(command)} did not answer {how}")


@contextmanager
def _process(argv: Sequence[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        argv,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
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
    told = io.StringIO()
    with redirect_stdout(told):
        refused = translate(["translate", str(folder)])
    if refused:
        raise RouseError(f"{type(estimator).__name__} has no twin: {told.getvalue().strip()}")
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


class Starts:
    """Processes of the same model by twin, by original, and by KServe, started in turns."""

    def __init__(self, scratch: Path, kserve: Server | None, no_kserve: str = "") -> None:
        """Make the model and its twin below ``scratch``, and start each server once, not counted.

        ``no_kserve`` says why there is no such server. A KServe that does not answer is left out.
        """
        iris = translated(scratch / "iris", LogisticRegression(max_iter=500))
        own = [sys.executable, "-m", "predictors.sklearn", f"--model_dir={iris}"]
        self.milliseconds: dict[str, list[float]] = defaultdict(list)
        self.no_kserve = no_kserve
        self._servers = {
            "twin": Server(own, {"ROUSE_TWIN": "auto"}, "numpy"),
            "original": Server(own, {"ROUSE_TWIN": "off"}, "none"),
        }
        for server in self._servers.values():
            exec_ms(server)
        if kserve is not None:
            try:
                exec_ms(kserve)
            except RouseError as error:
                self.no_kserve = str(error)
            else:
                self._servers["kserve"] = kserve

    def round(self) -> None:
        """Start each once."""
        self.milliseconds["floor"].append(floor_ms())
        for name, server in self._servers.items():
            self.milliseconds[name].append(exec_ms(server))

    def figures(self) -> list[Figure]:
        """The medians; KServe's is None where there is none."""
        made = []
        for name, bar in {"floor": None, "twin": 350, "original": None, "kserve": None}.items():
            values = self.milliseconds[name]
            median = statistics.median(values) if values else None
            note = "" if values else self.no_kserve
            made.append(Figure(f"exec_{name}_ms", median, "ms", bar, note))
        return made


def rate_figures(scratch: Path, *, quick: bool = False) -> list[Figure]:
    """One row by twin, estimator and `Model`, of several estimators; with ``quick`` of the first.

    ``twin_single_row_ratio`` is the least of their ratios, the estimator's own method to the twin.
    """
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    models: dict[str, tuple[Any, str]] = {
        "logistic": (LogisticRegression(max_iter=500), "predict"),
        "logistic_proba": (LogisticRegression(max_iter=500), "predict_proba"),
        "scaled_proba": (scaled, "predict_proba"),
        "forest": (RandomForestClassifier(100), "predict"),
    }
    names = list(models)[:1] if quick else list(models)
    figures, ratios = [], []
    for name in names:
        estimator, method = models[name]
        twin, sklearn, original = rates(translated(scratch / f"rate-{name}", estimator), method)
        ratios.append(sklearn / twin)
        figures += [
            Figure(f"{name}_twin_us", twin, "us"),
            Figure(f"{name}_sklearn_us", sklearn, "us"),
            Figure(f"{name}_original_us", original, "us"),
            Figure(f"{name}_rate_ratio", ratios[-1], "x", 3, at_least=True),
        ]
    note = f"the least of {', '.join(names)}"
    figures.append(Figure("twin_single_row_ratio", min(ratios), "x", 3, note, at_least=True))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--kserve", type=Path, help="python of an environment with KServe")
    parser.add_argument("--sklearnserver", type=Path, help="source folder of its sklearn server")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="perf-twins-") as folder:
        scratch, peer = Path(folder), None
        if options.kserve:
            path = {"PYTHONPATH": str(options.sklearnserver)} if options.sklearnserver else {}
            argv = [str(options.kserve), "-m", "sklearnserver", f"--model_dir={scratch / 'iris'}"]
            peer = Server(argv, path)
        starts = Starts(scratch, peer, "" if peer else "no --kserve")
        for _ in range(options.rounds):
            starts.round()
        publish("twins", [*starts.figures(), *rate_figures(scratch)])


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
