"""From nothing to a model that sleeps, wakes, and shares its traffic with a second one.

Runs in $ROUSE_HOME when that is set, else in a folder of its own that is removed afterwards; takes
the ports 6443 and 8080 when they are free, others when not. Exits with 1 if anything did not hold.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

import orjson

from examples.demo.stage import Stage, Terminal
from perf.coldstart import wait_asleep, wake
from perf.disagree import Disagreement, find_disagreement
from perf.harness import IRIS, SHORT_WINDOWS, Engine, engine, set_windows
from perf.traffic import Outcome, Target, background, send
from rouse.embedded.ports import ensure_free, free_port
from rouse.errors import PortInUseError, RouseError
from rouse.kube.objects import Object
from rouse.sdk import Client

REQUESTS = 1000
CANARY_PERCENT = 20


def main() -> int:
    """Run the five steps; the exit code."""
    stage = Stage()
    home = os.environ.get("ROUSE_HOME")
    ports = _port(6443, stage), _port(8080, stage)
    stage.heading("1. rouse up: an API, controllers and a gateway on this machine")
    began = time.perf_counter()
    with engine(Path(home) if home else None, ports=ports) as up:
        seconds = time.perf_counter() - began
        terminal = Terminal(stage, up)
        stage.say(f"$ rouse up    (state in {up.home.root})")
        stage.check(seconds < 60, f"the engine is up after {seconds:.1f} s")
        stage.figure("rouse up, first start of a home", f"{seconds:.2f} s")
        terminal.rouse("status")
        set_windows(up, SHORT_WINDOWS)
        stage.say("(autoscaler windows set short, so that the model falls asleep soon)")
        with up.client() as client:
            deploy(stage, terminal, client)
            ask(stage, terminal, up, client)
            asyncio.run(canary(stage, terminal, up, client))
            sleep_and_wake(stage, terminal, up, client)
            client.delete(IRIS / "isvc.yaml")
    _check_gone(stage, up)
    return stage.close()


def deploy(stage: Stage, terminal: Terminal, client: Client) -> None:
    """Train two models, apply the first, wait until it is Ready."""
    stage.heading("2. Train a model and apply an InferenceService")
    terminal.run(sys.executable, str(IRIS / "train.py"), shown="python examples/iris/train.py")
    manifest = str(IRIS / "isvc.yaml")
    began = time.perf_counter()
    terminal.kube("apply", "-f", manifest, fallback=("apply", "-f", manifest))
    client.wait_ready("iris", timeout_s=60)
    seconds = time.perf_counter() - began
    stage.figure("apply to Ready", f"{seconds:.2f} s")
    terminal.kube(
        "wait", "--for=condition=Ready", "isvc/iris", "--timeout=60s", fallback=("wait", "iris")
    )
    stage.check(True, f"isvc/iris is Ready {seconds:.2f} s after the apply began")
    terminal.kube("get", "isvc", fallback=("get", "isvc"))
    if terminal.kubectl:
        terminal.kube("get", "ksvc,revisions,virtualservices,pods", fallback=())
        described = terminal.kube("describe", "isvc", "iris", fallback=())
        stage.check("Events:" in described and "Ready" in described, "describe shows conditions")
        logs = terminal.kube("logs", "-l", "serving.kserve.io/inferenceservice=iris", fallback=())
        stage.check(bool(logs.strip()), "kubectl logs shows the predictor's log")
    else:
        for kind in ("ksvc", "revisions", "virtualservices", "pods"):
            terminal.rouse("get", kind)


def ask(stage: Stage, terminal: Terminal, up: Engine, client: Client) -> None:
    """Ask by V1, V2, command line and SDK; all must agree."""
    stage.heading("3. Ask it: curl, command line, Python")
    host = f"http://iris.default.localhost:{up.gateway_port}"
    if shutil.which("curl"):
        body = '{"instances": [[5.1,3.5,1.4,0.2]]}'
        v1 = terminal.run("curl", "-sS", f"{host}/v1/models/iris:predict", "-d", body)
        stage.check(orjson.loads(v1 or "{}").get("predictions") == [0], "V1 answers: a setosa")
        tensor = (IRIS / "request-v2.json").read_text().strip()
        v2 = terminal.run("curl", "-sS", f"{host}/v2/models/iris/infer", "-d", tensor)
        outputs = orjson.loads(v2 or "{}").get("outputs") or [{}]
        stage.check(outputs[0].get("data") == [0], "V2 answers the same")
    told = terminal.rouse("predict", "iris", "-f", str(IRIS / "request.json"))
    stage.check(orjson.loads(told or "{}").get("predictions") == [0, 2], "so does rouse predict")
    stage.say('>>> rouse.predict("iris", [[5.1, 3.5, 1.4, 0.2]])')
    answer = client.predict("iris", [[5.1, 3.5, 1.4, 0.2]])
    stage.say(str(answer))
    stage.check(answer == {"predictions": [0]}, "and the Python SDK")


async def canary(stage: Stage, terminal: Terminal, up: Engine, client: Client) -> None:
    """Give a second model 20 %, count, roll back, promote: under traffic, without a failure."""
    stage.heading(f"4. A canary: the second model gets {CANARY_PERCENT} %")
    told_apart = find_disagreement(up.home.volumes / "default" / "models")
    stage.say(
        f"On {told_apart.row} the first model says {told_apart.first}, the second "
        f"{told_apart.second}: the answers tell which one gave them."
    )
    target = Target.v1(up.gateway, "iris", [told_apart.row])
    async with background(target) as steady:
        await asyncio.to_thread(_apply, terminal, client, "canary.yaml")
        await asyncio.to_thread(_show_split, stage, up)
        counted = await _settled(target, told_apart)
        _check_split(stage, counted, told_apart.second)
        await asyncio.to_thread(_roll_back, stage, client)
        await _check_all(stage, target, told_apart.first, "rolled back to 0 %")
        await asyncio.to_thread(_apply, terminal, client, "canary.yaml")
        await asyncio.to_thread(_apply, terminal, client, "isvc-v2.yaml")
        await _check_all(stage, target, told_apart.second, "promoted")
    stage.check(
        not steady.failures,
        f"of {steady.total} requests sent during the shifts {steady.failures.total()} failed"
        + (f": {dict(steady.failures)}" if steady.failures else ""),
    )
    stage.figure("requests failed during the shifts", f"{steady.failures.total()}/{steady.total}")


def _apply(terminal: Terminal, client: Client, name: str) -> None:
    manifest = str(IRIS / name)
    terminal.kube("apply", "-f", manifest, fallback=("apply", "-f", manifest))
    client.wait_ready("iris", timeout_s=60)


def _roll_back(stage: Stage, client: Client) -> None:
    stage.say("(canaryTrafficPercent: 0)")
    manifest: Object = client.get("iris")
    wanted = {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {"name": "iris"},
        "spec": {"predictor": {**manifest["spec"]["predictor"], "canaryTrafficPercent": 0}},
    }
    client.apply(wanted, force=True)
    client.wait_ready("iris", timeout_s=60)


def _show_split(stage: Stage, up: Engine) -> None:
    shown = orjson.loads(up.rouse("get", "virtualservice", "iris", "-o", "json").stdout)
    weights = {
        route["destination"]["host"].split(".")[0]: route.get("weight")
        for route in shown["spec"]["http"][-1]["route"]
    }
    stage.say(f"VirtualService iris: {weights}")
    wanted = {CANARY_PERCENT, 100 - CANARY_PERCENT}
    stage.check(set(weights.values()) == wanted, "the VirtualService carries the split")


async def _settled(target: Target, told_apart: Disagreement) -> Outcome:
    """1,000 answers, counted from the moment the split is in effect."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        probe = _labels(await send(target, 10, concurrency=2))
        if probe[told_apart.second]:
            break
    return await send(target, REQUESTS, concurrency=4)


def _check_split(stage: Stage, counted: Outcome, label: int) -> None:
    share = CANARY_PERCENT / 100
    canary_count = _labels(counted)[label]
    # Four standard deviations: a fair split leaves these bounds once in 16,000 runs.
    spread = 4 * math.sqrt(REQUESTS * share * (1 - share))
    stage.check(
        abs(canary_count - REQUESTS * share) <= spread and not counted.failures,
        f"{canary_count} of {REQUESTS} requests went to the canary "
        f"(wanted {REQUESTS * share:.0f} +/- {spread:.0f}, none failed)",
    )
    stage.figure("canary share of 1,000 requests", f"{canary_count / REQUESTS:.1%}")


async def _check_all(stage: Stage, target: Target, label: int, what: str) -> None:
    deadline = time.monotonic() + 10
    labels: Counter[int] = Counter()
    while time.monotonic() < deadline:
        labels = _labels(await send(target, 100, concurrency=4))
        if labels == Counter({label: 100}):
            break
    stage.check(labels == Counter({label: 100}), f"{what}: 100 of 100 answers by the wanted model")


def _labels(outcome: Outcome) -> Counter[int]:
    counted: Counter[int] = Counter()
    for text, times in outcome.answers.items():
        counted[int(orjson.loads(text)["predictions"][0])] += times
    return counted


def sleep_and_wake(stage: Stage, terminal: Terminal, up: Engine, client: Client) -> None:
    """No traffic: no replica. One request: a replica, and the phases of its start."""
    stage.heading("5. Sleep and wake")
    began = time.perf_counter()
    wait_asleep(up)
    stage.say(f"No traffic: the last replica is gone after {time.perf_counter() - began:.0f} s.")
    terminal.kube("get", "pods", fallback=("get", "pods"))
    milliseconds: list[float] = []
    phases: dict[str, float] = {}
    for _ in range(3):
        wait_asleep(up)
        seconds, phases = asyncio.run(wake(up, "iris"))
        milliseconds.append(seconds * 1e3)
    told = ", ".join(f"{phase} {spent:.1f}" for phase, spent in phases.items())
    stage.say(f"Server-Timing of the woken request, in ms: {told}")
    stage.check(bool(phases), "the answer carries the phases of its cold start")
    best = sorted(milliseconds)[len(milliseconds) // 2]
    stage.figure("wake from zero to the answer", f"{best:.0f} ms (median of 3)")
    stage.check(best < 1000, f"a sleeping model answers after {best:.0f} ms")
    shown = _recorded(client, phases)
    stage.check(bool(shown), "kubectl get isvc iris -o yaml shows the last cold start")
    stage.say(f"status.coldStart.last: {shown}")


def _recorded(client: Client, phases: dict[str, float]) -> Object:
    """The cold start in the status, once it is the one the answer told of; {} if it never is."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        last: Object = client.get("iris").get("status", {}).get("coldStart", {}).get("last") or {}
        load = last.get("phases", {}).get("load", -1.0)
        if math.isclose(load, phases.get("load", -2.0), abs_tol=0.1):
            return last
        time.sleep(0.1)
    return {}


def _check_gone(stage: Stage, up: Engine) -> None:
    stage.heading("rouse down")
    again = up.rouse("status", check=False)
    stage.say(again.stdout)
    stage.check(again.returncode == 3, "nothing runs any more")


def _port(wanted: int, stage: Stage) -> int:
    try:
        ensure_free(wanted, purpose="the demo", option="--port")
    except PortInUseError as error:
        stage.say(f"({error}: another port is taken for this run)")
        return free_port()
    return wanted


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RouseError as error:
        sys.exit(f"demo: {error}")
