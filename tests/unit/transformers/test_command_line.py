"""The process: its flags, the class it serves, and its answers over a real socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import orjson
import pytest

from predictors.serving.errors import ModelLoadError
from transformers_pre.cli import main
from transformers_pre.runtime import find_class

ROOT = Path(__file__).parents[3]
CODE = """
from transformers_pre import InvalidInputError, Transformer

class Sum(Transformer):
    def load(self):
        self.more = float(self.options["more"])

    def preprocess(self, payload, headers):
        if "instances" not in payload:
            raise InvalidInputError("instances are wanted.")
        return {"instances": [[sum(row)] for row in payload["instances"]]}

    async def postprocess(self, response, headers):
        return {"predictions": [value + self.more for value in response["predictions"]]}

class Other(Transformer):
    pass
"""


class Echo(BaseHTTPRequestHandler):
    """A predictor whose prediction is the first value of a row."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        rows = orjson.loads(self.rfile.read(int(self.headers["content-length"])))["instances"]
        body = orjson.dumps({"predictions": [row[0] for row in rows]})
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def predictor() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    file = tmp_path / "summing.py"
    file.write_text(CODE)
    return file


@pytest.fixture
def url(predictor: str, code: Path, tmp_path: Path) -> Iterator[str]:
    """A running transformer, on a socket that it inherits; it is told to go and goes."""
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(tmp_path / "n"))
    notices.settimeout(30)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    told = ["--model_name", "iris", "--predictor_host", predictor, "--option", "more=1"]
    with listener, notices:
        process = subprocess.Popen(
            [sys.executable, "-m", "transformers_pre", *told, "--module", f"{code}:Sum"],
            cwd=ROOT,
            env={
                **os.environ,
                "ROUSE_LISTEN_FD": str(listener.fileno()),
                "ROUSE_NOTIFY_SOCKET": str(tmp_path / "n"),
            },
            pass_fds=[listener.fileno()],
        )
        try:
            while (message := orjson.loads(notices.recv(65536)))["type"] != "ready":
                assert message["type"] == "phase", message
            yield f"http://127.0.0.1:{port}"
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()


async def test_a_process_answers_and_refuses(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        good = await client.post("/v1/models/iris:predict", json={"instances": [[1, 2], [3, 4]]})
        bad = await client.post("/v1/models/iris:predict", json={"rows": []})
        ready = await client.get("/v2/models/iris/ready")
    assert good.json() == {"predictions": [4.0, 8.0]}
    assert (bad.status_code, bad.json()) == (400, {"error": "instances are wanted."})
    assert ready.json() == {"name": "iris", "ready": True}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "--predictor_host"),
        (["--predictor_host", "http://x/"], "leave http:// out"),
        (["--predictor_host", "x", "--option", "more"], "is not KEY=VALUE"),
        (["--predictor_host", "x", "--predictor_use_ssl", "maybe"], "neither true nor false"),
        (["--predictor_host", "x", "--predictor_protocol", "grpc-v1"], "grpc-v2"),
        (["--predictor_host", "x", "--modul", "a"], "unknown: --modul a"),
    ],
)
def test_a_wrong_flag_is_explained(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(flags)
    assert said in capsys.readouterr().err


def test_classes_are_found_by_file_and_module(code: Path) -> None:
    assert find_class(f"{code}:Other").__name__ == "Other"
    assert find_class("transformers_pre.image").__name__ == "ImageTransformer"
    assert find_class("transformers_pre.transformer:Transformer").__name__ == "Transformer"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("no_such_module:X", "ModuleNotFoundError"),
        ("{code}", "those of the module: Other, Sum"),
        ("{code}:Nobody", "those of the module: Other, Sum"),
        ("json:JSONDecoder", "those of the module: none"),
    ],
)
def test_a_class_that_cannot_be_served_is_explained(code: Path, named: str, said: str) -> None:
    with pytest.raises(ModelLoadError, match=said):
        find_class(named.format(code=code))
