"""Probes of containers: what to ask (pure), and asking once (raw streams: under 1 ms)."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rouse.embedded.node.errors import PodSetupError, Reason
from rouse.embedded.processes import StartError, start_process

__all__ = [
    "Exec",
    "HttpGet",
    "Probe",
    "ProbeResult",
    "TcpSocket",
    "asks_known_port",
    "check",
    "parse_probe",
]

_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class HttpGet:
    """GET; any answer from 200 to 399 is success."""

    port: int
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    tls: bool = False


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """Success when the port accepts a connection."""

    port: int


@dataclass(frozen=True, slots=True)
class Exec:
    """Success when the command exits with 0."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe with Kubernetes' thresholds; times in seconds."""

    action: HttpGet | TcpSocket | Exec
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Outcome of one asking; ``message`` says why not."""

    ok: bool
    message: str = ""


def parse_probe(
    probe: dict[str, Any] | None,
    *,
    container: dict[str, Any],
    ports: Mapping[int, int],
    default_port: int | None = None,
) -> Probe | None:
    """A container's probe with its ports replaced by the real ones.

    ``default_port`` (a containerPort) is what a probe without an action connects to, as in
    Knative; with neither probe nor default there is nothing to ask: None. Port 0 means the default.
    """
    spec = probe or {}
    action = _action(spec, container, ports, default_port)
    if action is None:
        return None
    return Probe(
        action,
        initial_delay=float(spec.get("initialDelaySeconds") or 0),
        # 0 is Knative's "as fast as possible"; the first probes are fast anyway
        period=float(spec.get("periodSeconds") or 10),
        timeout=float(spec.get("timeoutSeconds") or 1),
        success_threshold=int(spec.get("successThreshold") or 1),
        failure_threshold=int(spec.get("failureThreshold") or 3),
    )


def asks_known_port(
    probe: dict[str, Any] | None, container: dict[str, Any], ports: Mapping[int, int]
) -> bool:
    """Whether a probe asks at a port that the pod declares; one that names no port does.

    What listens on this machine listens at declared ports only: no other would ever answer.
    """
    get = (probe or {}).get("httpGet")
    if get is None or not get.get("port"):
        return True
    port = get["port"]
    if isinstance(port, str) and not port.isdigit():
        return any(port == each.get("name") for each in container.get("ports") or [])
    return int(port) in ports


def _action(
    spec: dict[str, Any],
    container: dict[str, Any],
    ports: Mapping[int, int],
    default_port: int | None,
) -> HttpGet | TcpSocket | Exec | None:
    if "exec" in spec:
        return Exec(tuple(spec["exec"]["command"]))
    if spec.get("httpGet") is not None:
        get = spec["httpGet"]
        headers = tuple((h["name"], h["value"]) for h in get.get("httpHeaders") or [])
        port = _port(get.get("port"), container, ports, default_port)
        tls = get.get("scheme", "HTTP").upper() == "HTTPS"
        return HttpGet(port, get.get("path") or "/", headers, tls)
    if "tcpSocket" in spec or "grpc" in spec:
        # a gRPC health service is asked by connecting: the node speaks no gRPC
        wanted = spec.get("tcpSocket") or spec.get("grpc") or {}
        return TcpSocket(_port(wanted.get("port"), container, ports, default_port))
    if default_port is not None:
        return TcpSocket(ports.get(default_port, default_port))
    return None


def _port(
    value: object, container: dict[str, Any], ports: Mapping[int, int], default: int | None
) -> int:
    named = {p.get("name"): p["containerPort"] for p in container.get("ports") or []}
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    wanted = named.get(value, value) if isinstance(value, str) else (value or default)
    if not isinstance(wanted, int):
        raise PodSetupError(
            Reason.INVALID_PROBE,
            f'container "{container["name"]}": the probe\'s port {value!r} is neither a number nor '
            "the name of a port of the container",
        )
    return ports.get(wanted, wanted)


async def check(probe: Probe, *, env: Mapping[str, str], cwd: str) -> ProbeResult:
    """Ask once, within the probe's timeout. ``env`` and ``cwd`` are for exec probes."""
    try:
        async with asyncio.timeout(probe.timeout):
            match probe.action:
                case HttpGet():
                    return await _http(probe.action)
                case TcpSocket(port):
                    _, writer = await asyncio.open_connection(_HOST, port)
                    writer.close()
                    return ProbeResult(ok=True)
                case Exec(command):
                    return await _exec(command, env, cwd)
    except TimeoutError:
        return ProbeResult(ok=False, message=f"no answer within {probe.timeout:g} s")
    except (OSError, StartError) as error:
        return ProbeResult(ok=False, message=str(error))


async def _http(get: HttpGet) -> ProbeResult:
    context = _unverified() if get.tls else None
    reader, writer = await asyncio.open_connection(_HOST, get.port, ssl=context)
    try:
        given = {
            "Host": f"{_HOST}:{get.port}",
            "User-Agent": "kube-probe/rouse",
            **dict(get.headers),
        }
        lines = [f"GET {get.path} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items())]
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        status = await reader.readline()
    except ValueError:
        return ProbeResult(ok=False, message="the answer is not HTTP")
    finally:
        writer.close()
    words = status.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return ProbeResult(ok=False, message="the connection closed without an HTTP answer")
    code = int(words[1])
    return ProbeResult(ok=200 <= code < 400, message=f"HTTP status {code} at {get.path}")


async def _exec(command: tuple[str, ...], env: Mapping[str, str], cwd: str) -> ProbeResult:
    process = start_process(
        command, env=env, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        code = await process.wait()
    finally:
        process.kill()
    return ProbeResult(ok=code == 0, message=f"{command[0]} ended with {code}")


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
