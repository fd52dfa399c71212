"""What the payload logger sends of requests over every protocol, and where to."""

from __future__ import annotations

import asyncio
import csv
import importlib.util
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from predictors.serving.errors import StartupError
from predictors.serving.payloads import PayloadLogger, logger_settings
from predictors.serving.payloads.events import REQUEST, RESPONSE

Serve = Callable[..., str]
V1 = "/v1/models/double:predict"
BODY = {"instances": [[1.0, 2.0]]}
WHO = {
    "ROUSE_LOGGER_SERVICE": "iris",
    "ROUSE_LOGGER_NAMESPACE": "team",
    "ROUSE_LOGGER_COMPONENT": "predictor",
    "ROUSE_LOGGER_SOURCE": "pod-1",
}


def _made(env: Mapping[str, str]) -> PayloadLogger:
    settings = logger_settings(env)
    assert settings is not None
    return PayloadLogger(settings)


def _logger(**variables: str) -> PayloadLogger:
    given = {f"ROUSE_LOGGER_{name.upper()}": value for name, value in variables.items()}
    return _made({**WHO, **given})


async def _ask(url: str, path: str = V1, count: int = 1, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        for _ in range(count):
            answer = await client.post(path, **{"json": BODY, **options})
    return answer


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def _closed(logger: PayloadLogger) -> None:
    await asyncio.to_thread(logger.close, 10.0)


def _lines(text: str | bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_events_are_those_of_kserves_agent(serve: Serve, receiver: Any) -> None:
    logger = _logger(
        url=f"{receiver.url}/in?a=1",
        metadata_headers="X-Team, Authorization,absent",
        metadata_annotations="owner=ann,absent",
    )
    headers = {"ce-id": "abc-1", "x-team": "red 100%", "authorization": "Bearer secret"}
    answer = await _ask(serve(logger), headers=headers)
    request, response = sorted(
        await asyncio.to_thread(receiver.until, 2), key=lambda each: str(each.headers["ce-type"])
    )
    await _closed(logger)
    assert request.path == "/in?a=1"
    assert json.loads(request.body) == BODY
    assert response.body == answer.content
    assert request.headers["content-type"] == "application/json"
    told = {name: value for name, value in request.headers.items() if name.startswith("ce-")}
    assert told.pop("ce-time").endswith("Z")
    assert json.loads(unquote(told.pop("ce-metadata"))) == {
        "x-team": "red 100%",
        "authorization": "***",
    }
    assert told.pop("ce-annotations") == "{%22owner%22:%22ann%22}"
    assert told == {
        "ce-specversion": "1.0",
        "ce-id": "abc-1",
        "ce-source": "pod-1",
        "ce-type": REQUEST,
        "ce-inferenceservicename": "iris",
        "ce-namespace": "team",
        "ce-component": "predictor",
        "ce-modelname": "double",
        "ce-modelversion": "1",
        "ce-protocol": "v1",
    }
    assert response.headers["ce-type"] == RESPONSE
    assert response.headers["ce-id"] == "abc-1"


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters begin at zero."""
    monkeypatch.setattr("predictors.serving.metrics.custom._metrics", {})


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [("all", {REQUEST, RESPONSE}), ("request", {REQUEST}), ("response", {RESPONSE})],
)
async def test_modes(serve: Serve, tmp_path: Path, mode: str, kinds: set[str]) -> None:
    logger = _logger(url=f"file://{tmp_path}/log", mode=mode)
    await _ask(serve(logger), headers={"x-request-id": "r"})
    await _closed(logger)
    events = _lines((tmp_path / "log").read_text())
    assert {event["type"] for event in events} == kinds
    assert {event["id"] for event in events} == {"r"}


async def test_a_sample_keeps_requests_and_answers_together(serve: Serve, tmp_path: Path) -> None:
    logger = _logger(url=f"file://{tmp_path}/log", sample="0.3")
    await _ask(serve(logger), count=200)
    await _closed(logger)
    kinds: dict[str, list[str]] = {}
    for event in _lines((tmp_path / "log").read_text()):
        kinds.setdefault(event["id"], []).append(event["type"])
    assert 20 < len(kinds) < 120
    assert all(each == [REQUEST, RESPONSE] for each in kinds.values())


async def test_refused_requests_are_logged_without_an_answer(serve: Serve, tmp_path: Path) -> None:
    logger = _logger(url=f"file://{tmp_path}/log")
    url = serve(logger)
    assert (await _ask(url, json={"instances": [[13.0, 1.0]]})).status_code == 400
    assert (await _ask(url, content=b"\xff{")).status_code == 400
    await _closed(logger)
    refused, broken = _lines((tmp_path / "log").read_text())
    assert refused["data"] == {"instances": [[13.0, 1.0]]}
    assert broken["data_base64"] == "/3s="


async def test_every_http_protocol(serve: Serve, tmp_path: Path) -> None:
    logger = _logger(url=f"file://{tmp_path}/log")
    url = serve(logger)
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [1.0, 2.0]}
    await _ask(url, "/v2/models/double/infer", json={"inputs": [tensor]})
    await _ask(url, "/v2/models/talk/infer_stream", json={"inputs": [tensor]})
    await _ask(url, "/own/shout", content=b"abc", headers={"content-type": "text/plain"})
    head = json.dumps(
        {
            "inputs": [{**tensor, "data": None, "parameters": {"binary_data_size": 16}}],
        }
    ).replace('"data": null, ', "")
    await _ask(
        url,
        "/v2/models/double/infer",
        content=head.encode() + bytes(16),
        headers={
            "inference-header-content-length": str(len(head)),
            "content-type": "application/octet-stream",
        },
    )
    await _closed(logger)
    events = _lines((tmp_path / "log").read_text())
    v2, stream, own, binary = (events[index : index + 2] for index in range(0, 8, 2))
    assert v2[0]["data"]["inputs"] == [tensor]
    assert v2[1]["data"]["outputs"][0]["data"] == [2.0, 4.0]
    assert [event["protocol"] for event in v2 + own] == ["v2", "v2", "http", "http"]
    parts = _lines(stream[1]["data"])
    assert [part["outputs"][0]["data"] for part in parts] == [[0], [1], [2]]
    assert [event["data"] for event in own] == ["abc", "ABC"]
    assert binary[0]["data"].startswith(head)
    assert binary[1]["data"]["outputs"][0]["data"] == [0.0, 0.0]


async def test_batches_are_cloudevents_batches(serve: Serve, receiver: Any) -> None:
    logger = _logger(url=receiver.url, batch_size="4", batch_seconds="30")
    await _ask(serve(logger), count=3)
    first = (await asyncio.to_thread(receiver.until, 1))[0]
    assert first.headers["content-type"].startswith("application/cloudevents-batch+json")
    assert len(json.loads(first.body)) == 4
    await _closed(logger)
    assert [len(json.loads(each.body)) for each in receiver.seen] == [4, 2]


async def test_a_place_that_is_not_there_yet_is_asked_again(serve: Serve, receiver: Any) -> None:
    receiver.statuses = [503, 404]
    logger = _logger(url=receiver.url, mode="request")
    await _ask(serve(logger))
    seen = await asyncio.to_thread(receiver.until, 3)
    await _closed(logger)
    assert len({each.headers["ce-id"] for each in seen}) == 1


async def test_several_sinks_and_stdout(
    serve: Serve, receiver: Any, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    logger = _logger(url=f"{receiver.url}, file://{tmp_path}/log ,stdout", mode="request")
    await _ask(serve(logger))
    await _closed(logger)
    assert json.loads(receiver.seen[0].body) == BODY
    written = (tmp_path / "log").read_bytes()
    assert written == capfdbinary.readouterr().out
    assert _lines(written)[0]["data"] == BODY


async def test_files_are_put_aside(serve: Serve, tmp_path: Path) -> None:
    logger = _logger(url=f"file://{tmp_path}/d/log?max_bytes=500&files=3", mode="request")
    url = serve(logger)
    for number in range(9):
        await _ask(url, headers={"ce-id": str(number)})
        await asyncio.to_thread(lambda: None)
    await _closed(logger)
    names = sorted(path.name for path in (tmp_path / "d").iterdir())
    assert names[0] == "log"
    assert set(names) <= {"log", "log.1", "log.2"}
    assert _lines((tmp_path / "d/log").read_text())[-1]["id"] == "8"


async def test_a_place_that_hangs_holds_no_answer(serve: Serve, receiver: Any) -> None:
    receiver.gate.clear()
    logger = _logger(url=receiver.url, queue_size="10", mode="request")
    url = serve(logger)
    assert (await _ask(url, count=50)).status_code == 200
    await asyncio.to_thread(logger.close, 0.1)
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{url}/metrics")).text
    found = re.findall(r'payload_log_dropped_total{sink="127.0.0.1",reason="(\w+)"} (\d+)', text)
    lost = {reason: int(count) for reason, count in found}
    assert lost["full"] >= 50 - 10 - 4
    assert sum(lost.values()) == 50
    receiver.gate.set()


async def test_a_file_taken_away_is_made_again(serve: Serve, tmp_path: Path) -> None:
    logger = _logger(url=f"file://{tmp_path}/log?max_bytes=1", mode="request")
    url = serve(logger)
    path = tmp_path / "log"
    for number in range(3):
        await _ask(url, headers={"ce-id": str(number)})
        await _until(lambda: path.exists() and path.stat().st_size > 0)
        if number == 0:
            path.rename(tmp_path / "elsewhere")
    await _closed(logger)
    assert _lines((tmp_path / "log").read_text())[-1]["id"] == "2"


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
async def test_files_of_many_events(serve: Serve, tmp_path: Path, form: str) -> None:
    if form == "parquet" and importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(StartupError, match="pyarrow"):
            _logger(store_uri=str(tmp_path), format=form)
        return
    logger = _logger(store_uri=f"file://{tmp_path}", format=form, batch_size="3")
    await _ask(serve(logger), count=2)
    await _closed(logger)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert [path.suffix for path in files] == [f".{form}"] * 2
    if form == "json":
        counts = [len(_lines(path.read_text())) for path in files]
    elif form == "csv":
        rows = [list(csv.DictReader(io.StringIO(path.read_text()))) for path in files]
        assert json.loads(rows[0][0]["data"]) == BODY
        counts = [len(each) for each in rows]
    else:
        import pyarrow.parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]

        counts = [pyarrow.parquet.read_table(path).num_rows for path in files]
    assert counts == [3, 1]


async def test_a_bucket_with_credentials_of_its_own(serve: Serve, receiver: Any) -> None:
    pytest.importorskip("obstore")
    logger = _logger(
        store_uri="s3://logs/team/iris",
        env_aws_endpoint_url=receiver.url,
        env_aws_access_key_id="logs-id",
        env_aws_secret_access_key="secret",
    )
    await _ask(serve(logger))
    await _closed(logger)
    (put,) = receiver.seen
    assert put.path.startswith("/logs/team/iris/20")
    assert "Credential=logs-id/" in put.headers["authorization"]
    assert [event["type"] for event in _lines(put.body)] == [REQUEST, RESPONSE]


async def test_a_marshaller_makes_the_files(serve: Serve, receiver: Any, tmp_path: Path) -> None:
    receiver.answer = b"made of it"
    logger = _logger(store_uri=str(tmp_path), marshaller_url=f"{receiver.url}/m")
    await _ask(serve(logger))
    await _closed(logger)
    assert len(json.loads(receiver.seen[0].body)) == 2
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.read_bytes() == b"made of it"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"URL": "ftp://x"}, "ROUSE_LOGGER_URL: 'ftp://x' is no sink"),
        ({"URL": "http://"}, "no host"),
        ({"URL": "stdout", "MODE": "some"}, "ROUSE_LOGGER_MODE must be one of all, request"),
        ({"URL": "stdout", "SAMPLE": "1.5"}, "ROUSE_LOGGER_SAMPLE must be a number, 0 to 1"),
        ({"URL": "stdout", "BATCH_SIZE": "many"}, "ROUSE_LOGGER_BATCH_SIZE must be a number"),
        ({"URL": "file:///proc/none/log"}, "cannot be written"),
        ({"URL": "file:///tmp/x?files=0"}, "files must be a number, 1 or more"),
        ({"STORE_URI": "/x", "FORMAT": "xml"}, "ROUSE_LOGGER_FORMAT must be one of json, csv"),
    ],
)
def test_wrong_settings_are_named(variables: Mapping[str, str], told: str) -> None:
    env = {f"ROUSE_LOGGER_{name}": value for name, value in variables.items()}
    with pytest.raises(StartupError, match=told.replace("(", r"\(")):
        _made(env)


def test_annotations_of_the_pods_file(tmp_path: Path) -> None:
    file = tmp_path / "annotations"
    file.write_text('a.b/owner="ann"\nother="x"\n')
    settings = logger_settings(
        {
            "ROUSE_LOGGER_URL": "stdout",
            "ROUSE_LOGGER_ANNOTATIONS_FILE": str(file),
            "ROUSE_LOGGER_METADATA_ANNOTATIONS": "a.b/owner,absent",
        }
    )
    assert settings is not None
    assert settings.annotations == {"a.b/owner": "ann"}


async def test_grpc(tmp_path: Path) -> None:
    grpc = pytest.importorskip("grpc")
    from predictors.serving.dataplane import DataPlane
    from predictors.serving.grpc.messages import InferTensorContents, ModelInferRequest
    from predictors.serving.grpc.server import start_grpc
    from predictors.serving.observation import Observers
    from predictors.serving.settings import Limits
    from tests.unit.serving_observability.models import Doubling

    logger = _logger(url=f"file://{tmp_path}/log")
    plane = DataPlane()
    plane.observers = Observers([logger])
    plane.publish(Doubling("double"))
    server = await start_grpc(plane, 0, limits=Limits(), server={"name": "t", "version": "1"})
    request = ModelInferRequest(model_name="double", id="7")
    contents = InferTensorContents(fp64_contents=[bytes(8) + b"\0\0\0\0\0\0\xf0?"])
    request.inputs.add(name="x", datatype="FP64", shape=[1, 2], contents=contents)
    data = request.SerializeToString()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        path = "/inference.GRPCInferenceService/"
        metadata = (("x-request-id", "g"),)
        await channel.unary_unary(f"{path}ModelInfer")(data, metadata=metadata)

        async def once() -> AsyncIterator[bytes]:
            yield data

        stream = channel.stream_stream(f"{path}ModelStreamInfer")(once(), metadata=metadata)
        assert len([answer async for answer in stream]) == 1
    await server.stop(1.0)
    await _closed(logger)
    events = _lines((tmp_path / "log").read_text())
    assert [event["type"] for event in events] == [REQUEST, RESPONSE] * 2
    assert {event["id"] for event in events} == {"g"}
    assert {event["protocol"] for event in events} == {"grpc"}
    assert events[0]["data"]["inputs"][0]["data"] == [0.0, 1.0]
    assert [event["data"]["outputs"][0]["data"] for event in events[1::2]] == [[0.0, 2.0]] * 2
    assert plane.metrics.models["double"].successes == 2
