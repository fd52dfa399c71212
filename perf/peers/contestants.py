"""Starting each server on one core, and keeping all but the measured one stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from perf.peers.bodies import Body
from perf.peers.environments import Environments
from rouse.embedded.ports import free_port

__all__ = ["SERVER_CORE", "Contestant", "contestants"]

SERVER_CORE: Final = "0"
_START_S: Final = 60.0


@dataclass
class Contestant:
    """A running server. `http` and `grpc` are ports on the loopback address; 0 is none."""

    name: str
    argv: list[str]
    http: int
    grpc: int = 0
    cwd: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def running(self, log: Path, hello: Body) -> Iterator[None]:
        """The process, from its first good answer to the end of the block, then stopped."""
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", SERVER_CORE, *self.argv],
                env={**os.environ, **self.environ},
                cwd=self.cwd,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                self._wait(hello, log)
                self.pause()
                yield
            finally:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)

    def pause(self) -> None:
        """Take the server off the core."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the server run again."""
        self._signal(signal.SIGCONT)

    def rss_mb(self) -> float:
        """Resident memory of all its processes, in MB."""
        assert self.process is not None
        return sum(_rss_kb(pid) for pid in _group(self.process.pid)) / 1024

    def ask(self, body: Body) -> bytes:
        """One request. Raises urllib's errors."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}{body.path}", data=body.content, headers=body.headers
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def _wait(self, hello: Body, log: Path) -> None:
        assert self.process is not None
        deadline = time.monotonic() + _START_S
        while True:
            try:
                self.ask(hello)
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    tail = log.read_text(errors="replace")[-2000:]
                    raise SystemExit(f"{self.name} does not answer: {error}\n{tail}") from error
                time.sleep(0.1)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, number)


@contextmanager
def contestants(
    environments: Environments, model_dir: Path, scratch: Path, hellos: Mapping[str, Body]
) -> Iterator[dict[str, Contestant]]:
    """All servers, started and paused; `hellos` is a request that each of them answers."""
    made = [
        _ours(environments, model_dir),
        _kserve(environments, model_dir, scratch, log=True),
        _kserve(environments, model_dir, scratch, log=False),
        _mlserver(environments, model_dir, scratch),
        _litserve(environments, model_dir, scratch),
        _limit(environments, scratch),
    ]
    with ExitStack() as stack:
        for one in made:
            hello = hellos.get(one.name, hellos[""])
            stack.enter_context(one.running(scratch / f"{one.name}.log", hello))
        yield {one.name: one for one in made}


def _ours(environments: Environments, model_dir: Path) -> Contestant:
    http, grpc = free_port(), free_port()
    argv = [str(environments.python("rouse")), "-m", "predictors.sklearn", "--model_name=iris"]
    argv += [f"--model_dir={model_dir}", f"--http_port={http}", f"--grpc_port={grpc}"]
    return Contestant("rouse", argv, http, grpc)


def _kserve(environments: Environments, model_dir: Path, scratch: Path, *, log: bool) -> Contestant:
    """KServe's sklearn server as it comes, or with access and latency logs off."""
    http, grpc = free_port(), free_port()
    source = environments.sklearnserver()
    argv = [str(environments.python("kserve")), "-m", "sklearnserver", "--model_name=iris"]
    argv += [f"--model_dir={model_dir}", f"--http_port={http}", f"--grpc_port={grpc}"]
    if not log:
        config = scratch / "kserve-log.json"
        quiet = {"level": "ERROR", "handlers": [], "propagate": False}
        loggers = dict.fromkeys(("kserve", "kserve.trace", "uvicorn", "uvicorn.access"), quiet)
        config.write_bytes(
            orjson.dumps({"version": 1, "disable_existing_loggers": False, "loggers": loggers})
        )
        argv += [f"--log_config_file={config}", "--enable_latency_logging=false"]
    # Its web framework's newest release warns on every answer, which would cost it a fifth.
    environ = {"PYTHONWARNINGS": "ignore", **({"PYTHONPATH": str(source)} if source else {})}
    return Contestant("kserve" if log else "kserve_nolog", argv, http, grpc, environ=environ)


def _mlserver(environments: Environments, model_dir: Path, scratch: Path) -> Contestant:
    """MLServer with its model in the process of the server, its fastest setting here."""
    http, grpc = free_port(), free_port()
    folder = scratch / "mlserver"
    folder.mkdir()
    settings = {
        "http_port": http,
        "grpc_port": grpc,
        "metrics_port": free_port(),
        "parallel_workers": 0,
    }
    model = {
        "name": "iris",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(model_dir / "model.joblib")},
    }
    (folder / "settings.json").write_bytes(orjson.dumps(settings))
    (folder / "model-settings.json").write_bytes(orjson.dumps(model))
    program = environments.python("mlserver").with_name("mlserver")
    return Contestant("mlserver", [str(program), "start", str(folder)], http, grpc, cwd=folder)


_LITSERVE: Final = """
import joblib, litserve

class Iris(litserve.LitAPI):
    def setup(self, device):
        self.model = joblib.load({model!r})
    def decode_request(self, request):
        return request["instances"]
    def predict(self, rows):
        return self.model.predict(rows)
    def encode_response(self, output):
        return {{"predictions": output.tolist()}}

if __name__ == "__main__":
    server = litserve.LitServer(Iris(api_path="/v1/models/iris:predict"), accelerator="cpu")
    server.run(port={port}, generate_client_file=False)
"""


def _litserve(environments: Environments, model_dir: Path, scratch: Path) -> Contestant:
    """The shortest LitServe program that answers the V1 protocol."""
    http = free_port()
    script = scratch / "litserve_iris.py"
    script.write_text(_LITSERVE.format(model=str(model_dir / "model.joblib"), port=http))
    return Contestant("litserve", [str(environments.python("litserve")), str(script)], http)


_LIMIT: Final = """
import asyncio, socket, uvloop
from predictors.serving.listener import Listener

class Empty:
    async def __rsgi__(self, scope, exchange):
        await exchange()
        exchange.response_bytes(200, [("content-type", "application/json")], b"{{}}")

async def main():
    sock = socket.create_server(("127.0.0.1", {port}), backlog=1024)
    listener = Listener(Empty(), sock)
    listener.start()
    await asyncio.Event().wait()

uvloop.run(main())
"""


def _limit(environments: Environments, scratch: Path) -> Contestant:
    """What our HTTP layer alone can do: it reads the body and answers the same to all."""
    http = free_port()
    script = scratch / "limit.py"
    script.write_text(_LIMIT.format(port=http))
    return Contestant("limit", [str(environments.python("rouse")), str(script)], http)


def _group(leader: int) -> list[int]:
    """The processes of a session."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getsid(int(entry.name)) == leader:
                    pids.append(int(entry.name))
            except ProcessLookupError:
                continue
    return pids


def _rss_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line), 0)
