"""MiniLM on the embedded engine: woken from zero, and what a second replica adds to memory."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from perf.coldstart import wait_asleep, wake
from perf.deep_learning.models import SENTENCES, weights_bytes
from perf.harness import SHORT_WINDOWS, Engine, engine
from perf.traffic import Target, send
from rouse.embedded.ports import free_port
from rouse.errors import RouseError

__all__ = ["Wakes", "more_replicas", "wake_ups"]

_START_S: Final = 120.0
_SPARE_S: Final = 2.0
"""Until the warm parent has its next spare child."""
_MODULE: Final = b"predictors.huggingface"


@dataclass
class Wakes:
    """Seconds from the request to the answer, milliseconds by phase, seconds of plain starts, and
    of ``import torch`` alone."""

    seconds: list[float] = field(default_factory=list)
    phases: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    plain: list[float] = field(default_factory=list)
    torch: list[float] = field(default_factory=list)

    def told(self) -> str:
        """The medians of the phases."""
        medians = {name: statistics.median(values) for name, values in self.phases.items()}
        return ", ".join(f"{name} {value:.1f}" for name, value in medians.items())


def wake_ups(folder: Path, rounds: int, services: int) -> Wakes:
    """Wake copies of a sleeping service one after the other; after each round a plain start."""
    made = Wakes()
    names = [f"minilm-{number}" for number in range(services)]
    with engine(windows=SHORT_WINDOWS) as under_test:
        _apply(under_test, folder, [_service(name, 0) for name in names])
        for number in range(rounds):
            wait_asleep(under_test)
            for name in names:
                seconds, phases = asyncio.run(wake(under_test, name, [SENTENCES[0]]))
                made.seconds.append(seconds)
                for phase, milliseconds in phases.items():
                    made.phases[phase].append(milliseconds)
            made.plain.append(_plain_start(folder))
            made.torch.append(_import_torch())
            print(f"round {number + 1}  wake {statistics.median(made.seconds) * 1e3:.0f} ms")
    return made


def more_replicas(folder: Path) -> tuple[float, float]:
    """What the second and the third replica of a model add to the memory of all predictors.

    As shares of the weights: proportional set sizes, summed when the newest replica has answered
    sentences. The replicas are of services of their own, so that each is asked for certain.
    """
    sizes = []
    with engine() as under_test:
        for number in range(3):
            name = f"minilm-{number}"
            _apply(under_test, folder, [_service(name, 1)])
            target = Target.v1(under_test.gateway, name, [SENTENCES[0]])
            outcome = asyncio.run(send(target, 100, concurrency=4))
            if outcome.failures:
                raise RouseError(f"{name} failed: {outcome.failures}")
            time.sleep(_SPARE_S)
            sizes.append(_pss_bytes(under_test.state.pid))
    total = weights_bytes(folder)
    return (sizes[1] - sizes[0]) / total, (sizes[2] - sizes[1]) / total


def _service(name: str, replicas: int) -> dict[str, Any]:
    model = {"modelFormat": {"name": "huggingface"}, "storageUri": "pvc://models/minilm"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"minReplicas": replicas, "model": model}},
    }


def _apply(under_test: Engine, folder: Path, services: list[dict[str, Any]]) -> None:
    # Each benchmark has an engine of its own, so that the volume holds no other model.
    kept = under_test.home.volumes / "default" / "models" / "minilm"
    if not kept.exists():
        shutil.copytree(folder, kept)
    with under_test.client() as rouse:
        rouse.apply(services)
        for service in services:
            rouse.wait_ready(service["metadata"]["name"], timeout_s=_START_S)


def _pss_bytes(engine_pid: int) -> int:
    """Proportional set sizes of the engine's Hugging Face predictors, their parent among them."""
    total = 0
    for pid in _descendants(engine_pid):
        folder = Path(f"/proc/{pid}")
        try:
            if _MODULE not in (folder / "cmdline").read_bytes():
                continue
            rollup = (folder / "smaps_rollup").read_text()
        except OSError:
            continue  # it has ended
        total += next(
            int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")
        )
    if not total:
        raise RouseError(f"engine {engine_pid} has no predictors")
    return total


def _descendants(ancestor: int) -> set[int]:
    parents = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(file.parent.name)] = int(file.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, more = {ancestor}, True
    while more:
        children = {pid for pid, parent in parents.items() if parent in found} - found
        found |= children
        more = bool(children)
    return found


def _import_torch() -> float:
    """Seconds of a Python that does nothing else: no start can be faster."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True, timeout=_START_S)
    return time.perf_counter() - began


def _plain_start(folder: Path) -> float:
    """Seconds from starting a predictor's process to its first answer."""
    port = free_port()
    argv = [sys.executable, "-m", "predictors.huggingface", "--model_name=minilm"]
    argv += [f"--model_dir={folder}", f"--http_port={port}"]
    url = f"http://127.0.0.1:{port}/v1/models/minilm:predict"
    began = time.perf_counter()
    process = subprocess.Popen(
        argv, stderr=subprocess.DEVNULL, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    try:
        with httpx.Client(timeout=30) as http:
            while time.perf_counter() - began < _START_S:
                try:
                    if http.post(url, json={"instances": [SENTENCES[0]]}).status_code == 200:
                        return time.perf_counter() - began
                except httpx.TransportError:
                    pass
                time.sleep(0.01)
    finally:
        process.terminate()
        process.wait(10)
    raise RouseError(f"the predictor's process did not answer within {_START_S:g} s")
