"""The controllers at the size of a company: what a thousand models cost, and what rest costs.

`python -m perf.controllers [--create 1000] [--objects 5000] [--changes 50] [--rest 60]`

The embedded API's process and `rouse controller` run on this machine, the whole engine does not:
this process plays the users and, at once and without replicas, Knative (see `perf.knative`). So
their CPU time is in `create_1000_s` as well. An InferenceService is created, becomes ready, and is
then given a canary of another model with 20 percent; it counts when its VirtualService splits
80 to 20 and its own status says Ready for that generation.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvloop

from perf.knative import Knative
from perf.report import Figure, publish
from rouse.embedded.ports import free_port
from rouse.errors import RouseError
from rouse.kube import Informer, InformerOptions, Key, KubeClient, connect, load_kubeconfig
from rouse.kube.objects import Object, condition_of, key_of
from rouse.kube.resources import CONFIG_MAPS, INFERENCE_SERVICES, VIRTUAL_SERVICES

NAMESPACE = "default"
_TICKS = os.sysconf("SC_CLK_TCK")


def service(number: int, model: str = "first", percent: int | None = None) -> Object:
    """An InferenceService as users write it; with a percentage, a canary."""
    predictor: Object = {
        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": f"s3://models/{model}"}
    }
    if percent is not None:
        predictor["canaryTrafficPercent"] = percent
    return {
        "apiVersion": INFERENCE_SERVICES.api_version,
        "kind": INFERENCE_SERVICES.kind,
        "metadata": {"name": f"model-{number:05}", "namespace": NAMESPACE},
        "spec": {"predictor": predictor},
    }


@dataclass
class Process:
    """A process under test, seen from outside."""

    pid: int
    metrics_port: int
    api_pid: int = 0

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_mb(self) -> float:
        """Resident memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))

    async def counted(self) -> tuple[float, float]:
        """Writes to the API and reconciles so far, by the process' own metrics."""
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"http://127.0.0.1:{self.metrics_port}/metrics")
        writes = reconciles = 0.0
        for line in answer.text.splitlines():
            name, _, number = line.rpartition(" ")
            reads = ('verb="get"', 'verb="list"', 'verb="watch"')
            if name.startswith("rouse_api_requests_total") and not any(
                one in name for one in reads
            ):
                writes += float(number)
            elif name.startswith("rouse_reconcile_total"):
                reconciles += float(number)
        return writes, reconciles


class World:
    """The users' view: everything there is, as it changes."""

    def __init__(self, client: KubeClient) -> None:
        self.client = client
        self.services = Informer(client, INFERENCE_SERVICES, options=InformerOptions(packed=True))
        self.routes = Informer(client, VIRTUAL_SERVICES, options=InformerOptions(packed=True))
        self.ready: dict[Key, tuple[int, bool]] = {}
        self.splits: dict[Key, tuple[int, ...]] = {}
        self.changes: dict[Key, asyncio.Event] = defaultdict(asyncio.Event)
        self.services.add_handler(self._on_service)
        self.routes.add_handler(self._on_route)

    def _on_service(self, _type: object, obj: Object) -> None:
        condition = condition_of(obj, "Ready") or {}
        ready = (
            condition.get("status") == "True"
            and (obj.get("status") or {}).get("observedGeneration") == obj["metadata"]["generation"]
        )
        self.ready[key_of(obj)] = obj["metadata"]["generation"], ready
        self.changes[key_of(obj)].set()

    def _on_route(self, _type: object, obj: Object) -> None:
        ways = [one["weight"] for http in obj["spec"]["http"] for one in http["route"]]
        self.splits[key_of(obj)] = tuple(sorted(ways))
        self.changes[key_of(obj)].set()

    async def changed(self, key: Key) -> None:
        """Wait for the next change of an InferenceService or its VirtualService."""
        self.changes[key].clear()
        await self.changes[key].wait()

    async def reached(self, key: Key, *, split: tuple[int, ...], generation: int = 0) -> None:
        """Wait until the traffic is split so and the status says Ready."""
        async with asyncio.timeout(600):
            while not (
                self.splits.get(key) == split
                and self.ready.get(key, (0, False))[1]
                and self.ready[key][0] >= generation
            ):
                await self.changed(key)

    async def start(self) -> None:
        """Begin to look."""
        for informer in (self.services, self.routes):
            await informer.start()
        for informer in (self.services, self.routes):
            await informer.synced()

    async def stop(self) -> None:
        """Look no more."""
        for informer in (self.services, self.routes):
            await informer.stop()


@contextmanager
def started(argv: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that says on a pipe that it is ready; ended afterwards."""
    read_fd, write_fd = os.pipe()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*argv, f"--ready-fd={write_fd}"],
            pass_fds=(write_fd,),
            stdout=output,
            stderr=output,
        )
    os.close(write_fd)
    try:
        with os.fdopen(read_fd, "rb") as pipe:
            if not pipe.readline():
                raise RouseError(f"{argv[2]} did not start:\n{log.read_text()[-2000:]}")
        yield process
    finally:
        process.terminate()
        process.wait(30)


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[tuple[World, Process]]:
    """The API, the controllers and Knative's part."""
    port, metrics_port = free_port(), free_port()
    api = [sys.executable, "-m", "rouse.embedded.apiserver", f"--home={folder}", f"--port={port}"]
    with started(api, folder / "api.log") as api_process:
        kubeconfig = folder / "kubeconfig"
        async with connect(load_kubeconfig(kubeconfig)) as client:
            # As on a cluster, where nobody writes the status of VirtualServices.
            optional = {"data": {"ingressStatus": "optional"}}
            await client.patch(CONFIG_MAPS, "rouse-config", optional, namespace="rouse-system")
            argv = [sys.executable, "-m", "rouse", "controller", f"--kubeconfig={kubeconfig}"]
            argv.append(f"--metrics-port={metrics_port}")
            world = World(client)
            with started(argv, folder / "controllers.log") as controllers:
                await world.start()
                try:
                    async with Knative(client):
                        yield world, Process(controllers.pid, metrics_port, api_process.pid)
                finally:
                    await world.stop()


async def create(world: World, numbers: range) -> float:
    """Create these InferenceServices with canaries, all at once; seconds until all are there."""

    async def one(number: int) -> None:
        made = await world.client.create(service(number))
        key = key_of(made)
        await world.reached(key, split=(100,))
        changed = await world.client.apply(service(number, "second", 20), field_manager="user")
        generation = changed["metadata"]["generation"]
        await world.reached(key, split=(20, 80), generation=generation)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in numbers:
            group.create_task(one(number))
    return time.perf_counter() - began


async def change(world: World, count: int) -> list[float]:
    """Seconds from sending another percentage to the changed VirtualService, one at a time."""
    seconds = []
    for round_ in range(count):
        number, percent = round_ % len(world.ready), 30 + round_ % 10
        split = tuple(sorted((percent, 100 - percent)))
        key = key_of(service(number))
        began = time.perf_counter()
        await world.client.apply(service(number, "second", percent), field_manager="user")
        while world.splits.get(key) != split:
            await world.changed(key)
        seconds.append(time.perf_counter() - began)
    return seconds


def spent(process: Process) -> str:
    """What the parts have used, for who asks why it took so long."""
    return ", ".join(
        f"{name} {Process(pid, 0).cpu_seconds():.1f} s"
        for name, pid in (
            ("API", process.api_pid),
            ("controllers", process.pid),
            ("bench", os.getpid()),
        )
    )


async def settled(process: Process) -> None:
    """Wait until a second passes without a reconcile or a write."""
    before = await process.counted()
    while True:
        await asyncio.sleep(1)
        now = await process.counted()
        if now == before:
            return
        before = now


async def rest(process: Process, seconds: float) -> float:
    """Percent of one core that the controllers take while nothing happens."""
    await settled(process)
    began, cpu = time.perf_counter(), process.cpu_seconds()
    await asyncio.sleep(seconds)
    return 100 * (process.cpu_seconds() - cpu) / (time.perf_counter() - began)


async def writes_per_reconcile(world: World, process: Process) -> float:
    """Let all be reconciled again by a touch of the configuration; writes per reconcile."""
    await settled(process)
    writes, reconciles = await process.counted()
    touch = {"metadata": {"annotations": {"perf.rouse.dev/touched": str(time.time_ns())}}}
    await world.client.patch(CONFIG_MAPS, "rouse-config", touch, namespace="rouse-system")
    while (await process.counted())[1] < reconciles + len(world.ready):
        await asyncio.sleep(0.5)
    await settled(process)
    after, done = await process.counted()
    return (after - writes) / (done - reconciles)


async def measure(options: argparse.Namespace) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="rouse-", ignore_cleanup_errors=True) as folder:
        async with cluster(Path(folder)) as (world, process):
            created = await create(world, range(options.create))
            print(f"{options.create} created in {created:.1f} s; CPU: {spent(process)}", flush=True)
            for begin in range(options.create, options.objects, 500):
                await create(world, range(begin, min(begin + 500, options.objects)))
                print(f"{len(world.ready)} objects, {process.rss_mb():.0f} MB", flush=True)
            cpu = await rest(process, options.rest)
            rss = process.rss_mb()
            print(f"at rest: {cpu:.2f} % CPU, {rss:.0f} MB", flush=True)
            changes = await change(world, options.changes)
            print(f"changes: {[round(one * 1e3) for one in sorted(changes)]} ms", flush=True)
            writes = await writes_per_reconcile(world, process)
            after = process.rss_mb()
    return _figures(options, created, cpu, (rss, after), changes, writes)


def _figures(
    options: argparse.Namespace,
    created: float,
    cpu: float,
    rss: tuple[float, float],
    changes: list[float],
    writes: float,
) -> list[Figure]:
    note: dict[str, Any] = {"note": f"{options.objects} InferenceServices"}
    return [
        Figure(f"create_{options.create}_s", created, "s", 60),
        Figure("steady_cpu_percent", cpu, "%", 1, **note),
        Figure("steady_rss_mb", max(rss), "MB", 250, **note),
        Figure("change_p50_ms", statistics.median(changes) * 1e3, "ms", 100, **note),
        Figure("steady_writes", writes, "per reconcile", 0, **note),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--create", type=int, default=1000)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--rest", type=float, default=60)
    publish("controllers", uvloop.run(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
