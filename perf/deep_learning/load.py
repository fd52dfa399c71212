"""Load from the other core: wrk for sentences, asyncio for streams of tokens."""

from __future__ import annotations

import asyncio
import itertools
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import orjson

from perf.deep_learning.models import prompt
from perf.peers.bodies import Body
from perf.peers.load import LOAD_CORE

__all__ = ["Posted", "Streamed", "post", "stream"]

_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
_LENGTHS: Final = (32, 96, 64, 48, 80)


class Posted(NamedTuple):
    """Answers/s, and the median latency in ms."""

    rate: float
    p50_ms: float


def post(port: int, bodies: Sequence[Body], *, clients: int, seconds: int, scratch: Path) -> Posted:
    """POST the bodies in turn over that many connections. Raises SystemExit when answers fail."""
    script = scratch / "sentences.lua"
    script.write_text(_lua(bodies))
    options = ["-t1", f"-c{clients}", f"-d{seconds}s", "--timeout=30s", "--latency", f"-s{script}"]
    done = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "wrk", *options, f"http://127.0.0.1:{port}{bodies[0].path}"],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=True,
    )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s|m)\b", done.stdout)
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout or rate is None or p50 is None:
        raise SystemExit(f"wrk: {done.stdout}")
    return Posted(float(rate[1]), float(p50[1]) * _UNITS[p50[2]])


def _lua(bodies: Sequence[Body]) -> str:
    # Within the script: wrk with one connection has room for a dozen open files, not for these.
    lines = ["local bodies, turn = {}, 0"]
    lines += [f"bodies[{n}] = [==[{body.content.decode()}]==]" for n, body in enumerate(bodies)]
    headers = ", ".join(f'["{name}"] = "{value}"' for name, value in bodies[0].headers.items())
    lines += [
        "request = function()",
        f"  turn = (turn + 1) % {len(bodies)}",
        f'  return wrk.format("POST", nil, {{{headers}}}, bodies[turn])',
        "end",
    ]
    return "\n".join(lines)


@dataclass
class Streamed:
    """Tokens/s in the window, and of each text begun in it the seconds to its first token."""

    rate: float = 0.0
    first: list[float] = field(default_factory=list)


async def stream(port: int, *, clients: int, warm_up: float, seconds: float) -> Streamed:
    """A closed loop of clients that each read one text after the other, event by event.

    Texts that are in the making when the window ends are left. Raises SystemExit when one fails.
    """
    began = time.perf_counter() + warm_up
    until = began + seconds
    told = Streamed()
    counted = [0]
    numbers = itertools.count()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:

        async def client() -> None:
            while time.perf_counter() < until:
                await _read(http, next(numbers), began, until, told, counted)

        await asyncio.gather(*(client() for _ in range(clients)))
    told.rate = counted[0] / seconds
    return told


async def _read(
    http: httpx.AsyncClient,
    number: int,
    began: float,
    until: float,
    told: Streamed,
    counted: list[int],
) -> None:
    """One text: a token an event, since tokens are words."""
    body = {
        "model": "llama",
        "prompt": prompt(number),
        "max_tokens": _LENGTHS[number % len(_LENGTHS)],
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
    }
    sent = time.perf_counter()
    waiting = True
    async with http.stream("POST", "/openai/v1/completions", json=body) as answer:
        if answer.status_code != 200:
            raise SystemExit(f"completions: {answer.status_code} {await answer.aread()!r}")
        async for line in answer.aiter_lines():
            now = time.perf_counter()
            if now > until:
                return
            if not _has_text(line):
                continue
            if waiting and sent >= began:
                told.first.append(now - sent)
            waiting = False
            counted[0] += now >= began


def _has_text(line: str) -> bool:
    """Whether an event of the stream brings a token."""
    if not line.startswith("data: {"):
        return False
    event = orjson.loads(line.removeprefix("data: "))
    if "error" in event:
        raise SystemExit(f"completions: {event['error']}")
    return any(choice["text"] for choice in event["choices"])


def lengths() -> Iterator[int]:
    """How many tokens the texts have, one after the other."""
    return itertools.cycle(_LENGTHS)
