"""Load from the other core: wrk for HTTP/1.1, h2load for gRPC."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from perf.peers.bodies import Body

__all__ = ["LOAD_CORE", "Load", "grpc", "http", "missing_tools"]

LOAD_CORE: Final = "1"
_TOOLS: Final = {"wrk": "wrk", "h2load": "nghttp2-client", "taskset": "util-linux"}
_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


class Load(NamedTuple):
    """What a server did: requests/s, and the 99th percentile of the latency in ms."""

    rate: float
    p99_ms: float


def missing_tools() -> list[str]:
    """Debian packages of the load generators that are not installed."""
    return [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]


def http(port: int, body: Body, *, connections: int, seconds: int, scratch: Path) -> Load:
    """POST the body over that many connections. Raises SystemExit when answers fail."""
    content, script = scratch / "body", scratch / "post.lua"
    content.write_bytes(body.content)
    headers = "".join(
        f'wrk.headers["{name}"] = "{value}"\n' for name, value in body.headers.items()
    )
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = io.open("{content}", "rb"):read("*a")\n{headers}'
    )
    options = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", f"-s{script}"]
    url = f"http://127.0.0.1:{port}{body.path}"
    output = _run("wrk", *options, url, seconds=seconds)
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"wrk {url}: {output}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", output)
    if rate is None or p99 is None:
        raise SystemExit(f"wrk printed no result: {output}")
    return Load(float(rate[1]), float(p99[1]) * _UNITS[p99[2]])


def grpc(port: int, body: Body, *, connections: int, seconds: int, scratch: Path) -> Load:
    """Unary calls, one at a time on each connection. Raises SystemExit when answers fail."""
    content = scratch / "frame"
    content.write_bytes(body.content)
    headers = [f"-H{name}: {value}" for name, value in body.headers.items()]
    options = [f"-c{connections}", "-m1", f"-D{seconds:g}", f"-d{content}", *headers]
    url = f"http://127.0.0.1:{port}{body.path}"
    output = _run("h2load", *options, url, seconds=seconds)
    rate = re.search(r"finished in [^,]+, ([\d.]+) req/s", output)
    codes = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", output)
    if rate is None or codes is None or codes[2] != "0":
        raise SystemExit(f"h2load {url}: {output}")
    return Load(float(rate[1]), 0.0)


def _run(*argv: str, seconds: int) -> str:
    done = subprocess.run(
        ["taskset", "-c", LOAD_CORE, *argv],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=True,
    )
    return done.stdout
