"""What the router of an InferenceGraph costs, beside KServe's own router where that is given.

Both ask the same service, the cheapest there can be, in turns. The overhead is the median latency
at one client less that of asking the service directly, as often as a request must wait for it:
twice for the Sequence, once for the others.

    python -m perf.graph [--peer PATH --peer-port PORT]

``--peer`` is a build of KServe's ``cmd/router``; it listens on 8080, unless it was built otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import cast

import orjson
import uvloop

from perf.report import Figure, percentile, publish
from predictors.graph.messages import Message
from predictors.graph.targets import Target, parse_target
from predictors.graph.upstream import Client, ClientSettings
from predictors.serving.errors import RequestError
from rouse.embedded.ports import free_port

BODY = b'{"instances":[{"kind":"k4","values":[5.1,3.5,1.4,0.2]}]}'
ANSWER = b'{"predictions":[2,0,1]}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
CLIENTS = 32
WAITS = {"sequence_of_2": 2, "switch_of_5": 1, "ensemble_of_3": 1}
"""How often a request must wait for the service, one after the other."""
PEER = "kserve"
OURS = "rouse"


def graphs(url: str) -> dict[str, bytes]:
    """The graphs by their names, as both routers take them."""
    step = {"serviceUrl": url}
    kinds = [f'instances.#(kind=="k{i}")' for i in range(5)]
    nodes = {
        "sequence_of_2": ("Sequence", [step, {**step, "data": "$response"}]),
        "switch_of_5": ("Switch", [{**step, "condition": each} for each in kinds]),
        "ensemble_of_3": ("Ensemble", [{**step, "name": f"s{i}"} for i in range(3)]),
    }
    return {
        name: orjson.dumps({"nodes": {"root": {"routerType": kind, "steps": steps}}})
        for name, (kind, steps) in nodes.items()
    }


class Service(asyncio.Protocol):
    """Answers every request with the same."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end].lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            whole = end + 4 + int(length or 0)
            if len(self._rest) < whole:
                return
            self._rest = self._rest[whole:]
            self._transport.write(HEAD % len(ANSWER) + ANSWER)


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Service, "127.0.0.1", port)
    await server.serve_forever()


@dataclass
class Program:
    """A process that listens, and how long it took until it did."""

    target: Target
    start_s: float


@contextmanager
def running(argv: Sequence[str], port: int, path: str, env: dict[str, str]) -> Iterator[Program]:
    began = time.perf_counter()
    process = subprocess.Popen(argv, env={**os.environ, **env}, stderr=subprocess.DEVNULL)
    target = parse_target(f"http://127.0.0.1:{port}{path}")
    try:
        uvloop.run(answers(target, process))
        yield Program(target, time.perf_counter() - began)
    finally:
        process.kill()
        process.wait()


async def answers(target: Target, process: subprocess.Popen[bytes]) -> None:
    """Wait until a POST is answered, of whatever kind."""
    async with asyncio.timeout(30):
        while True:
            if process.poll() is not None:
                raise SystemExit(f"{process.args!r} ended with {process.returncode}")
            try:
                await Client(ClientSettings(retries=0)).post(target, Message(BODY))
            except RequestError:
                await asyncio.sleep(0.002)
            else:
                return


async def ask(target: Target, count: int, clients: int) -> tuple[float, float]:
    """The median latency in seconds and requests a second of so many requests."""
    client = Client(ClientSettings())
    message = Message(BODY)
    seconds: list[float] = []
    left = iter(range(count))

    async def one() -> None:
        for _ in left:
            began = time.perf_counter()
            answer = await client.post(target, message)
            assert answer.status == 200, answer
            seconds.append(time.perf_counter() - began)

    await asyncio.gather(*(one() for _ in range(clients)))
    seconds.clear()
    left = iter(range(count))
    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(clients)))
    return percentile(seconds, 50), count / (time.perf_counter() - began)


@dataclass
class Rounds:
    """What was measured of one router with one graph, a value for each round."""

    start_s: float
    overhead_s: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)


def measure(
    name: str, graph: bytes, service: Target, arguments: argparse.Namespace
) -> dict[str, Rounds]:
    """The routers by name, in turns."""
    ours = free_port()
    told = ("--graph-json", graph.decode())
    argv = (sys.executable, "-m", "predictors.graph", *told)
    with running(argv, ours, "/", {"HTTP_PORT": str(ours)}) as program:
        if arguments.peer is None:
            return _in_turns(name, {OURS: program}, service, arguments)
        with running((arguments.peer, *told), arguments.peer_port, "/", {}) as peer:
            return _in_turns(name, {OURS: program, PEER: peer}, service, arguments)


def _in_turns(
    name: str, programs: dict[str, Program], service: Target, arguments: argparse.Namespace
) -> dict[str, Rounds]:
    found = {each: Rounds(program.start_s) for each, program in programs.items()}
    for _, (each, program) in product(range(arguments.rounds), programs.items()):
        direct, _ = uvloop.run(ask(service, arguments.requests, 1))
        latency, _ = uvloop.run(ask(program.target, arguments.requests, 1))
        _, rate = uvloop.run(ask(program.target, arguments.requests * 4, CLIENTS))
        found[each].overhead_s.append(latency - WAITS[name] * direct)
        found[each].rate.append(rate)
    return found


def figures(name: str, found: dict[str, Rounds]) -> Iterator[Figure]:
    for each in (OURS, PEER):
        rounds = found.get(each)
        note = "" if rounds is not None else "needs --peer"
        overhead = rate = start = None
        if rounds is not None:
            overhead = percentile(rounds.overhead_s, 50) * 1e6
            rate = percentile(rounds.rate, 50)
            start = rounds.start_s
        yield Figure(f"{name}_{each}_overhead", overhead, "us", note=note)
        yield Figure(f"{name}_{each}_at_{CLIENTS}_clients", rate, "requests/s", note=note)
        yield Figure(f"{name}_{each}_start", start, "s", note=note)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m perf.graph", description=__doc__)
    parser.add_argument("--peer", help="a build of KServe's router")
    parser.add_argument("--peer-port", type=int, default=8080, help="where it listens")
    parser.add_argument("--requests", type=int, default=1000, help="in each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median is taken")
    parser.add_argument("--service", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.service:
        uvloop.run(serve(arguments.service))
        return
    port = free_port()
    argv = (sys.executable, "-m", "perf.graph", f"--service={port}")
    with running(argv, port, "/v1/models/m:predict", {}) as service:
        made = [
            figure
            for name, graph in graphs(service.target.url).items()
            for figure in figures(name, measure(name, graph, service.target, arguments))
        ]
    publish("graph", made)


if __name__ == "__main__":
    main()
