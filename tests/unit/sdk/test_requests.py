from __future__ import annotations

from typing import Any

import orjson
import pytest

from rouse.errors import InvalidError, PredictionError
from rouse.sdk.requests import Prediction, prediction_request, read_prediction

ISVC = {
    "metadata": {"name": "iris", "namespace": "default"},
    "status": {"url": "http://iris.default.localhost"},
}
TENSOR = {"name": "in", "shape": [1], "datatype": "FP64", "data": [1]}


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ([[1, 2]], "/v1/models/iris:predict"),
        ({"instances": [[1, 2]]}, "/v1/models/iris:predict"),
        ({"inputs": [[1, 2]]}, "/v1/models/iris:predict"),
        ({"inputs": [TENSOR]}, "/v2/models/iris/infer"),
        ({"inputs": []}, "/v1/models/iris:predict"),
    ],
)
def test_the_payload_says_which_protocol(payload: Any, path: str) -> None:
    request = prediction_request(ISVC, payload, gateway="http://127.0.0.1:8080")
    assert request.url == f"http://127.0.0.1:8080{path}"
    assert request.headers["host"] == "iris.default.localhost"


def test_rows_alone_are_instances() -> None:
    request = prediction_request(ISVC, [[1, 2]], gateway=None)
    assert orjson.loads(request.body) == {"instances": [[1, 2]]}
    assert request.url.startswith("http://iris.default.localhost/")


def test_a_service_without_a_url_is_not_ready() -> None:
    isvc = {"metadata": ISVC["metadata"], "status": {}}
    with pytest.raises(InvalidError, match="default/iris has no URL yet"):
        prediction_request(isvc, [], gateway=None)


@pytest.mark.parametrize(
    ("url", "gateway", "wanted"),
    [
        ("http://flow.default.localhost", None, "http://flow.default.localhost/"),
        ("http://flow.default.localhost", "http://gw:1", "http://gw:1/"),
        ("http://example.com/serving/flow", "http://gw:1", "http://gw:1/serving/flow"),
        ("http://example.com/serving/flow", None, "http://example.com/serving/flow"),
    ],
)
def test_a_graph_is_asked_at_its_url(url: str, gateway: str | None, wanted: str) -> None:
    graph = {
        "kind": "InferenceGraph",
        "metadata": {"name": "flow", "namespace": "default"},
        "status": {"url": url},
    }
    request = prediction_request(graph, {"inputs": [TENSOR]}, gateway=gateway)
    assert request.url == wanted
    assert request.headers["host"] == url.split("/")[2]
    with pytest.raises(InvalidError, match="InferenceGraph default/flow has no URL yet"):
        prediction_request({**graph, "status": {}}, [], gateway=None)


def test_the_servers_reason_is_passed_on() -> None:
    with pytest.raises(PredictionError, match="400: 4 features wanted") as raised:
        read_prediction(400, {}, b'{"error": "4 features wanted"}')
    assert raised.value.status == 400
    assert not raised.value.retryable


def test_a_503_may_be_retried() -> None:
    with pytest.raises(PredictionError) as raised:
        read_prediction(503, {}, b"no healthy upstream")
    assert raised.value.retryable


def test_server_timing_is_read() -> None:
    header = 'queue;dur=1.5, load;desc="joblib";dur=6, cached'
    told = Prediction(None, 200, {"server-timing": header}).server_timing
    assert told == {"queue": 1.5, "load": 6.0}
    assert Prediction(None, 200, {}).server_timing == {}
