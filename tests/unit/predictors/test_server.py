"""A real predictor process over a real socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import joblib
import orjson
import pytest

ROW = [5.1, 3.5, 1.4, 0.2]
TENSOR = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": ROW}


@pytest.fixture
async def client(server: Any) -> Any:
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", {"status": "alive"}),
        ("/v1/models", {"models": ["iris"]}),
        ("/v1/models/iris", {"name": "iris", "ready": True}),
        ("/v2", {"name": "rouse-sklearnserver", "version": "0.1.0", "extensions": []}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["iris"]}),
        ("/v2/models/iris/ready", {"name": "iris", "ready": True}),
        ("/v2/models/iris/versions/1/ready", {"name": "iris", "ready": True}),
        ("/v2/models/%69ris/ready", {"name": "iris", "ready": True}),
        (
            "/v2/models/iris/versions/1",
            {
                "name": "iris",
                "versions": ["1"],
                "platform": "sklearn",
                "inputs": [{"name": "input", "datatype": "FP64", "shape": [-1, 4]}],
                "outputs": [
                    {"name": "predict", "datatype": "INT64", "shape": [-1, 1]},
                    {
                        "name": "predict_proba",
                        "datatype": "FP64",
                        "shape": [-1, 3],
                        "parameters": {"categories": [0, 1, 2]},
                    },
                    {
                        "name": "predict_log_proba",
                        "datatype": "FP64",
                        "shape": [-1, 3],
                        "parameters": {"categories": [0, 1, 2]},
                    },
                    {"name": "decision_function", "datatype": "FP64", "shape": [-1, -1]},
                ],
                "parameters": {"twin": "none", "twin_reason": "there is no twin yet"},
            },
        ),
    ],
)
async def test_pages(client: httpx.AsyncClient, path: str, body: Any) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (200, body)
    head = await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))


async def test_v1_predicts(client: httpx.AsyncClient) -> None:
    for field in ("instances", "inputs"):
        answer = await client.post("/v1/models/iris:predict", json={field: [ROW, ROW]})
        assert (answer.status_code, answer.json()) == (200, {"predictions": [0, 0]})
        assert answer.headers["server-timing"].startswith("predict;dur=")


@pytest.mark.parametrize("path", ["/v2/models/iris/infer", "/v2/models/iris/versions/1/infer"])
async def test_v2_infers(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json={"id": "a-1", "inputs": [TENSOR], "parameters": {}})
    assert answer.status_code == 200
    assert answer.json() == {
        "model_name": "iris",
        "model_version": "1",
        "id": "a-1",
        "outputs": [
            {
                "name": "predict",
                "shape": [1, 1],
                "datatype": "INT64",
                "parameters": {"content_type": "np"},
                "data": [0],
            }
        ],
    }


V1 = "/v1/models/iris:predict"
V2 = "/v2/models/iris/infer"
ROWS = b'{"instances": [[1, 2, 3, 4]]}'


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("POST", V1, b"", 400, "The body is empty; a JSON object is expected."),
        ("POST", V1, b'{"instances": [[1,', 400, "The body is not valid JSON: unexpected end"),
        ("POST", V1, b'{"instances": [[NaN]]}', 400, "The body is not valid JSON: "),
        ("POST", V1, b"\xff\xfe", 400, "The body is not valid JSON: "),
        ("POST", V1, b"[1]", 400, "The body must be a JSON object."),
        ("POST", V1, b"{}", 400, 'The body must have "instances" (or "inputs")'),
        ("POST", V1, b'{"instances": []}', 400, "instances is empty; at least one row"),
        (
            "POST",
            V1,
            b'{"instances": [[1,2,3]]}',
            400,
            "Model iris expects 4 values",
        ),
        (
            "POST",
            V1,
            b'{"instances": [["a",2,3,4]]}',
            400,
            "instances[0][0]: model iris takes a number, got 'a'.",
        ),
        ("POST", V1, b"[" * 1500, 400, "The body is not valid JSON: "),
        ("POST", V1, b'{"a":"' + b"x" * 20000 + b'"}', 413, "The body is 20008 bytes; this server"),
        ("POST", V2, b"{}", 400, 'The body must have "inputs", a list of one or more tensors.'),
        ("POST", V2, b'{"id": 7, "inputs": []}', 400, "id must be a string."),
        ("POST", V2, b'{"parameters": 1, "inputs": []}', 400, "parameters must be an object."),
        ("POST", V2, b'{"inputs": [1]}', 400, "inputs[0] must be an object, got a number."),
        ("POST", "/v1/models/no:predict", b"{}", 404, "Model with name no does not exist."),
        ("POST", "/v2/models/no/infer", b"{}", 404, "Model with name no does not exist."),
        ("POST", "/v2/models/iris/versions/9/infer", b"{}", 404, "Model iris has no version 9."),
        ("GET", "/v2/models/iris/versions/9", b"", 404, "Model iris has no version 9."),
        ("GET", "/v1/models/no", b"", 404, "Model with name no does not exist."),
        ("GET", "/v2/models/no/ready", b"", 404, "Model with name no does not exist."),
        ("GET", "/v3", b"", 404, "Path /v3 does not exist on this server."),
        ("POST", "/v1/models/iris:explain", b"{}", 400, 'The body must have "instances"'),
        ("POST", "/v1/models/iris:explain", ROWS, 501, "Model iris has no explainer."),
        ("POST", "/v1/models/iris:guess", b"{}", 404, "Path /v1/models/iris:guess does not"),
        ("POST", "/v2/repository/models/no/load", b"", 404, "The repository has no model no."),
        ("PUT", "/nowhere", b"", 404, "Path /nowhere does not exist on this server."),
        ("GET", V1, b"", 405, f"Method GET is not allowed on {V1}. Allowed: POST."),
        ("DELETE", V2, b"", 405, f"Method DELETE is not allowed on {V2}. Allowed: POST."),
        ("POST", "/v2", b"{}", 405, "Method POST is not allowed on /v2. Allowed: GET, HEAD."),
    ],
)
async def test_wrong_requests_are_refused_with_the_reason(
    client: httpx.AsyncClient, method: str, path: str, body: bytes, status: int, reason: str
) -> None:
    answer = await client.request(method, path, content=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error.startswith(reason)
    assert "Traceback" not in error
    assert answer.headers["content-type"] == "application/json"
    assert (status == 405) == ("allow" in answer.headers)


@pytest.mark.parametrize(
    ("size", "status"), [(1, 200), (40000, 413)], ids=["small", "larger than --max_body"]
)
async def test_bodies_of_unannounced_length(
    client: httpx.AsyncClient, size: int, status: int
) -> None:
    async def parts() -> Any:
        yield b'{"instances": [[5.1, 3.5, '
        yield b" " * size
        yield b"1.4, 0.2]]}"

    assert (await client.post(V1, content=parts())).status_code == status


async def test_a_body_that_ends_early_harms_nobody(client: httpx.AsyncClient, server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as broken:
        broken.sendall(f"POST {V1} HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{{".encode())
    assert (await client.post(V1, json={"instances": [ROW]})).status_code == 200


async def test_a_body_that_never_comes_is_given_up(
    start: Callable[..., Any], iris_folder: Path
) -> None:
    predictor = start(iris_folder, "--body_seconds=0.2")
    for body in (b"content-length: 9\r\n\r\n{", b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"):
        with socket.create_connection(("127.0.0.1", predictor.port), timeout=20) as stuck:
            stuck.sendall(f"POST {V1} HTTP/1.1\r\nhost: x\r\n".encode() + body)
            answer = await asyncio.to_thread(stuck.recv, 65536)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"The body did not arrive within 0.2 s." in answer
    async with httpx.AsyncClient(base_url=predictor.url) as client:
        assert (await client.post(V1, json={"instances": [ROW]})).status_code == 200
        assert "requests_in_flight 0\n" in (await client.get("/metrics")).text


async def test_metrics_count_what_was_answered(client: httpx.AsyncClient) -> None:
    def count(text: str, sample: str) -> float:
        lines = [line for line in text.splitlines() if line.startswith(sample + " ")]
        return float(lines[0].split()[-1]) if lines else 0.0

    predicted = 'request_predict_seconds_count{model_name="iris"}'
    failed = 'request_failures_total{model_name="iris",status="400"}'
    before = (await client.get("/metrics")).text
    await client.post(V1, json={"instances": [ROW]})
    await client.post(V1, content=b"{")
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert count(answer.text, predicted) == count(before, predicted) + 1
    assert count(answer.text, failed) == count(before, failed) + 1
    assert count(answer.text, "requests_in_flight") == 0


async def test_http2_without_tls(server: Any) -> None:
    """The preface of prior-knowledge h2 is answered with a SETTINGS frame."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
        )
        assert connection.recv(9)[3] == 4


def test_phases_of_the_start_are_told(start: Callable[..., Any], iris_folder: Path) -> None:
    predictor = start(iris_folder)
    told = predictor.notices.seen
    assert [message.get("name", message["type"]) for message in told] == [
        "fetch",
        "import",
        "load",
        "ready",
    ]
    assert {message["pid"] for message in told} == {predictor.process.pid}
    body = {"instances": [[6.8, 2.8, 4.8, 1.4]]}
    for _ in range(2):
        httpx.post(f"{predictor.url}/v1/models/iris:predict", json=body).raise_for_status()
    assert predictor.notices.until("answered") == {
        "type": "answered",
        "pid": predictor.process.pid,
    }
    assert predictor.stop() == 0
    assert predictor.notices.empty


class Slow:
    """Unpickling it takes until the file named by its argument is there."""

    def __init__(self, gate: str) -> None:
        self.gate = gate

    def __reduce__(self) -> Any:
        return (eval, (f"__import__('os').open({self.gate!r}, 0)",))


async def test_alive_at_once_and_ready_when_loaded(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    folder = tmp_path / "model"
    folder.mkdir()
    joblib.dump(Slow(str(gate)), folder / "model.joblib")
    predictor = start(folder, wait=False)
    while predictor.notices.until("phase", "failed").get("name") != "fetch":
        pass
    async with httpx.AsyncClient(base_url=predictor.url) as client:
        assert (await client.get("/v2/health/live")).status_code == 200
        for path in ("/v2/health/ready", "/v1/models/iris", "/v2/models/iris/ready"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "ready" in answer.json()["error"]
        answer = await client.post(V1, json={"instances": [ROW]})
        assert (answer.status_code, answer.json()) == (
            503,
            {"error": "Model with name iris is not ready."},
        )
    assert predictor.stop() == 0


def test_a_failed_load_is_one_clear_line(start: Callable[..., Any], tmp_path: Path) -> None:
    predictor = start(tmp_path / "absent", wait=False)
    message = predictor.notices.until("failed")
    assert predictor.process.wait(10) == 1
    expected = f"Cannot serve model iris: {tmp_path}/absent does not exist."
    assert message["error"].startswith(expected)
    [line] = predictor.log.read_text().splitlines()
    assert orjson.loads(line)["message"].startswith(expected)


@pytest.mark.parametrize(
    ("flags", "code", "reason"),
    [
        (["--workers=0"], 2, "0 is less than 1"),
        (["--http_port=70000"], 2, '"70000" is not a port'),
        (["--http_port=x"], 2, '"x" is not a port'),
        (["--warm"], 1, "--warm needs ROUSE_WARM_FD"),
    ],
)
def test_flags_that_cannot_be_obeyed(flags: list[str], code: int, reason: str) -> None:
    done = _run(flags)
    assert (done.returncode, reason in done.stderr) == (code, True), done.stderr


def test_a_port_in_use_is_named(server: Any) -> None:
    done = _run([f"--http_port={server.port}", "--enable_docs_url=true"])
    assert done.returncode == 1
    ignored, refused = (orjson.loads(line)["message"] for line in done.stderr.splitlines())
    assert ignored == "flags of other servers are ignored: --enable_docs_url=true"
    assert f"Cannot listen on port {server.port}: Address already in use" in refused


def test_interrupt_stops_it_as_well(start: Callable[..., Any], iris_folder: Path) -> None:
    predictor = start(iris_folder)
    predictor.process.send_signal(signal.SIGINT)
    assert predictor.process.wait(10) == 0


def _run(flags: list[str]) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, "-m", "predictors.sklearn", *flags],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
