"""Wake-ups from zero through the gateway, beside what a process start and a bare fork cost.

`python -m perf.coldstart [--services 10] [--rounds 5]`: that many copies of the iris service sleep
at zero and are woken one after the other, round by round. Interleaved with them, in the same run:

- the limit: fork a process that has imported the framework, load the model, predict once;
- a plain start: `python -m predictors.sklearn` as a process, until its first answer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import joblib
import orjson

from perf.harness import SHORT_WINDOWS, Engine, engine, train_iris
from perf.report import Figure, percentile, publish
from perf.traffic import Outcome, Target, ask, client
from rouse.embedded.ports import free_port
from rouse.errors import RouseError
from rouse.sdk.requests import Prediction

ROW = [[5.1, 3.5, 1.4, 0.2]]
SLEEP_TIMEOUT_S = 90.0


def service(name: str) -> dict[str, object]:
    """The iris InferenceService of the example, under another name."""
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://models/iris"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"minReplicas": 0, "model": model}},
    }


def wait_asleep(under_test: Engine) -> None:
    """Until no pod is left; raises RouseError when that takes too long."""
    deadline = time.monotonic() + SLEEP_TIMEOUT_S
    while time.monotonic() < deadline:
        listed = orjson.loads(under_test.rouse("get", "pods", "-o", "json").stdout)
        if not listed["items"]:
            return
        time.sleep(0.25)
    raise RouseError(f"pods still run after {SLEEP_TIMEOUT_S:g} s without traffic")


async def wake(
    under_test: Engine, name: str, instances: object = ROW
) -> tuple[float, dict[str, float]]:
    """One request to a sleeping service: seconds to the answer, and its Server-Timing phases."""
    target = Target.v1(under_test.gateway, name, instances)
    outcome = Outcome()
    async with client(target, 1) as http:
        answer = await ask(http, target, outcome)
    if answer is None or outcome.failures:
        raise RouseError(f"waking {name} failed: {outcome.failures}")
    phases = Prediction(None, 200, dict(answer.headers)).server_timing
    return outcome.seconds[0], phases


def limit(model_file: Path) -> float:
    """Seconds to fork this process (the framework imported), load the model and predict once."""
    began = time.perf_counter()
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        label = joblib.load(model_file).predict(ROW)
        os.write(write_fd, str(label).encode())
        os._exit(0)
    os.close(write_fd)
    answered = os.read(read_fd, 64)
    elapsed = time.perf_counter() - began
    os.close(read_fd)
    os.waitpid(pid, 0)
    if not answered:
        raise RouseError("the forked process answered nothing")
    return elapsed


@contextmanager
def _predictor(model_folder: Path, port: int) -> Iterator[None]:
    argv = [sys.executable, "-m", "predictors.sklearn", "--model_name=iris"]
    argv += [f"--model_dir={model_folder}", f"--http_port={port}"]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def plain_start(model_folder: Path) -> float:
    """Seconds from starting a predictor's process to its first answer."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1/models/iris:predict"
    body = orjson.dumps({"instances": ROW})
    began = time.perf_counter()
    with _predictor(model_folder, port), httpx.Client(timeout=5) as http:
        while time.perf_counter() - began < 60:
            try:
                if http.post(url, content=body).status_code == 200:
                    return time.perf_counter() - began
            except httpx.TransportError:
                pass
            time.sleep(0.005)
    raise RouseError("the predictor's process did not answer within 60 s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    names = [f"iris-{number}" for number in range(options.services)]
    wakes: list[float] = []
    phases: dict[str, list[float]] = defaultdict(list)
    limits: list[float] = []
    plain: list[float] = []
    with engine(windows=SHORT_WINDOWS) as under_test:
        train_iris(under_test)
        models = under_test.home.volumes / "default" / "models" / "iris"
        joblib.load(models / "model.joblib")  # imports what a warm parent has imported
        with under_test.client() as rouse:
            rouse.apply([service(name) for name in names])
            for name in names:
                rouse.wait_ready(name)
        for round_number in range(options.rounds):
            wait_asleep(under_test)
            for name in names:
                limits.append(limit(models / "model.joblib"))
                seconds, told = asyncio.run(wake(under_test, name))
                wakes.append(seconds)
                for phase, milliseconds in told.items():
                    phases[phase].append(milliseconds)
            plain.append(plain_start(models))
            print(f"round {round_number + 1}: median {statistics.median(wakes) * 1e3:.1f} ms")
    print("\nmedian of each phase, ms:")
    for phase, values in phases.items():
        print(f"  {phase:<10} {statistics.median(values):8.2f}")
    print()
    publish(
        "coldstart",
        [
            Figure("wake_iris_p50_ms", statistics.median(wakes) * 1e3, "ms", 100),
            Figure("wake_iris_p99_ms", percentile(wakes, 99) * 1e3, "ms", 300),
            Figure("wake_iris_limit_ms", statistics.median(limits) * 1e3, "ms"),
            Figure("plain_start_p50_ms", statistics.median(plain) * 1e3, "ms"),
            Figure("wakes", len(wakes), "count"),
        ],
    )


if __name__ == "__main__":
    main()
