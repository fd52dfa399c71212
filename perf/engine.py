"""The engine as a whole: start, memory, and how soon what is applied takes effect.

`python -m perf.engine [--rounds 5]`. `canary_effect_ms` is measured from sending the changed
percentage to the first answer of the canary at the gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

import httpx

from perf.coldstart import service
from perf.disagree import Disagreement, find_disagreement
from perf.harness import Engine, engine, train_iris
from perf.report import Figure, publish
from perf.traffic import Outcome, Target, ask, client
from rouse.embedded.engine.report import report
from rouse.errors import RouseError
from rouse.kube.objects import Object


def versioned(model: str, percent: int | None) -> Object:
    """The iris service with one replica always up, serving `model`."""
    predictor: Object = {
        "minReplicas": 1,
        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": f"pvc://models/{model}"},
    }
    if percent is not None:
        predictor["canaryTrafficPercent"] = percent
    return {**service("iris"), "spec": {"predictor": predictor}}


def measure_up(rounds: int) -> list[float]:
    """Seconds `rouse up` takes, the first start of a home not counted (it makes keys)."""
    seconds = []
    with engine() as under_test:
        for _ in range(rounds):
            under_test.down()
            seconds.append(under_test.up())
    return seconds


def measure_memory(under_test: Engine) -> tuple[float, float]:
    """Idle memory of all processes, no replica running: summed RSS and PSS in MB."""
    told = report(under_test.home)
    if told is None:
        raise RouseError("the engine is down")
    if any(part.name.startswith("replica") for part in told.parts):
        raise RouseError("a replica is running: that is not idle")
    return sum(part.rss_megabytes for part in told.parts), told.megabytes


def measure_apply(under_test: Engine, rounds: int) -> list[float]:
    """Seconds from applying a new InferenceService to its being Ready."""
    seconds = []
    with under_test.client() as rouse:
        for number in range(rounds):
            wanted = service(f"ready-{number}")
            began = time.perf_counter()
            rouse.apply(wanted)
            rouse.wait_ready(f"ready-{number}", timeout_s=60)
            seconds.append(time.perf_counter() - began)
            rouse.delete(wanted)
    return seconds


async def until_canary(target: Target, told_apart: Disagreement) -> None:
    """Ask until the canary answers; raises RouseError when it does not within 10 s."""
    outcome = Outcome()
    deadline = time.perf_counter() + 10
    async with client(target, 1) as http:
        while time.perf_counter() < deadline:
            answer = await ask(http, target, outcome)
            if answer is not None and _predicted(answer) == told_apart.second:
                return
    raise RouseError(f"no answer of the canary within 10 s: {outcome.answers} {outcome.failures}")


def _predicted(answer: httpx.Response) -> int:
    return int(answer.json()["predictions"][0])


def measure_canary(under_test: Engine, rounds: int) -> list[float]:
    """Seconds from sending 0 -> 50 % to the canary's first answer."""
    seconds = []
    told_apart = find_disagreement(under_test.home.volumes / "default" / "models")
    target = Target.v1(under_test.gateway, "iris", [told_apart.row])
    with under_test.client() as rouse:
        rouse.apply(versioned("iris", None))
        rouse.wait_ready("iris", timeout_s=60)
        rouse.apply(versioned("iris-v2", 0))
        rouse.wait_ready("iris", timeout_s=60)
        for _ in range(rounds):
            began = time.perf_counter()
            rouse.apply(versioned("iris-v2", 50))
            asyncio.run(until_canary(target, told_apart))
            seconds.append(time.perf_counter() - began)
            rouse.apply(versioned("iris-v2", 0))
            rouse.wait_ready("iris", timeout_s=60)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    ups = measure_up(rounds)
    print(f"up: {[round(second, 2) for second in ups]} s")
    with engine() as under_test:
        train_iris(under_test)
        time.sleep(5)  # what the start itself allocated and freed is settled
        rss, pss = measure_memory(under_test)
        applies = measure_apply(under_test, rounds)
        print(f"apply to Ready: {[round(second, 3) for second in applies]} s")
        canaries = measure_canary(under_test, rounds)
        print(f"canary effect: {[round(second * 1e3) for second in canaries]} ms\n")
    publish(
        "engine",
        [
            Figure("up_s", statistics.median(ups), "s", 3),
            Figure("apply_to_ready_s", statistics.median(applies), "s", 1),
            Figure("canary_effect_ms", statistics.median(canaries) * 1e3, "ms", 500),
            Figure("engine_rss_mb", rss, "MB", 400),
            Figure("engine_pss_mb", pss, "MB"),
        ],
    )


if __name__ == "__main__":
    main()
