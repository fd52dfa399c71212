"""MiniLM on the embedded engine: woken from zero, and what a second replica adds to memory."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
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
_SETTLE_S: Final = 30.0
_STEADY_S: Final = 2.0
"""In which the warm parent makes its next spare child, and an idle replica gives memory back."""
_STEADY_BYTES: Final = 200_000
_MODULE: Final = b"predictors.huggingface"
_OWN: Final = ("Pss_Anon", "Pss_Shmem")
_SIZE: Final = re.compile(r"^(\w+): +(\d+) kB$", re.MULTILINE)
_MAPPING: Final = re.compile(r"^[0-9a-f]+-[0-9a-f]+ ", re.MULTILINE)


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

    As shares of the weights, measured when the newest replica has answered sentences. The replicas
    are of services of their own, so that each is asked for certain.
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
            sizes.append(_settled(lambda: _memory_bytes(under_test.state.pid)))
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


def _settled(measure: Callable[[], int]) -> int:
    """What `measure` gives when it has stopped changing."""
    deadline = time.monotonic() + _SETTLE_S
    before = measure()
    while time.monotonic() < deadline:
        time.sleep(_STEADY_S)
        now = measure()
        if abs(now - before) < _STEADY_BYTES:
            return now
        before = now
    raise RouseError(f"memory still changes after {_SETTLE_S:g} s")


def _memory_bytes(engine_pid: int) -> int:
    """What the engine's Hugging Face predictors hold together, their parent among them.

    Their own pages count by what share they have of each; those of a file count once, as many as
    the one has that has the most: what else on the machine maps the file makes no difference.
    """
    own, files = 0, Counter[str]()
    for pid in _descendants(engine_pid):
        folder = Path(f"/proc/{pid}")
        try:
            if _MODULE not in (folder / "cmdline").read_bytes():
                continue
            rollup = _SIZE.findall((folder / "smaps_rollup").read_text())
            mapped = _mapped(folder)
        except OSError:
            continue  # it has ended
        own += sum(int(size) << 10 for name, size in rollup if name in _OWN)
        files |= mapped
    if not own:
        raise RouseError(f"engine {engine_pid} has no predictors")
    return own + files.total()


def _mapped(process: Path) -> Counter[str]:
    """Bytes of each file that are in a process's memory as they are in the file."""
    found = Counter[str]()
    for mapping in _MAPPING.split((process / "smaps").read_text())[1:]:
        head, _, told = mapping.partition("\n")
        device_and_inode = " ".join(head.split()[2:4])
        sizes = {name: int(size) << 10 for name, size in _SIZE.findall(told)}
        if not device_and_inode.endswith(" 0"):
            found[device_and_inode] += sizes["Rss"] - sizes["Anonymous"]
    return found


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
