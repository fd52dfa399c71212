"""How a transformer asks its predictor, and what its client is told when that goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from predictors.serving.errors import DeadlineError, RequestError
from tests.unit.transformers.conftest import HOST, Asked
from transformers_pre.errors import PredictorError, UnreachableError
from transformers_pre.http_predictor import HttpPredictor
from transformers_pre.lineage import tagged

Make = Callable[..., HttpPredictor]


async def test_trace_context_and_request_id_go_on_and_nothing_else(
    predictor: Make, asked: Asked
) -> None:
    headers = {
        "traceparent": "00-1-2-01",
        "tracestate": "a=b",
        "x-request-id": "r1",
        "authorization": "secret",
        "host": "front",
        "content-length": "3",
    }
    await predictor().ask(b"{}", headers)
    told = asked.last.headers
    assert told["traceparent"] == "00-1-2-01"
    assert told["tracestate"] == "a=b"
    assert told["x-request-id"] == "r1"
    assert told["host"] == HOST
    assert "authorization" not in told
    assert "rouse-lineage" not in told


async def test_a_transformer_names_further_headers(predictor: Make, asked: Asked) -> None:
    await predictor(forwarded=("authorization",)).ask(b"{}", {"authorization": "t"})
    assert asked.last.headers["authorization"] == "t"


@pytest.mark.parametrize("tag", ["latest", "prev"])
async def test_the_side_of_a_canary_is_kept(predictor: Make, asked: Asked, tag: str) -> None:
    await predictor().ask(b"{}", {"rouse-lineage": tag})
    assert asked.last.url.host == f"{tag}-{HOST}"
    assert asked.last.headers["rouse-lineage"] == tag


@pytest.mark.parametrize("value", ["", "evil.example.com/", "Latest-x", "latest,prev"])
async def test_any_other_value_leads_nowhere(predictor: Make, asked: Asked, value: str) -> None:
    await predictor().ask(b"{}", {"rouse-lineage": value})
    assert asked.last.url.host == HOST
    assert "rouse-lineage" not in asked.last.headers


@pytest.mark.parametrize("host", ["localhost:8085", "127.0.0.1:8085", "10.0.0.7", "[::1]:8085"])
def test_a_predictor_in_the_same_pod_has_one_host(host: str) -> None:
    assert tagged(host, "latest") == host


@pytest.mark.parametrize("how", ["a gateway's 404", "no such name"])
async def test_a_side_that_is_gone_is_answered_by_who_is_there(
    predictor: Make, asked: Asked, how: str
) -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        if how == "no such name":
            raise httpx.ConnectError("Name or service not known")
        return httpx.Response(404)

    asked.answers[f"prev-{HOST}"] = gone
    assert await predictor().ask(b"{}", {"rouse-lineage": "prev"}) == {"predictions": [7]}
    assert [each.url.host for each in asked.requests] == [f"prev-{HOST}", HOST]


async def test_a_404_of_the_model_server_itself_is_its_answer(
    predictor: Make, asked: Asked
) -> None:
    refused = httpx.Response(404, json={"error": "Model with name iris does not exist."})
    asked.answers[f"prev-{HOST}"] = lambda _: refused
    with pytest.raises(PredictorError, match="answered 404: Model with name iris") as caught:
        await predictor().ask(b"{}", {"rouse-lineage": "prev"})
    assert caught.value.status == 404
    assert len(asked.requests) == 1


async def test_the_predictors_status_and_its_wish_are_kept(predictor: Make, asked: Asked) -> None:
    asked.answers[HOST] = lambda _: httpx.Response(
        503, json={"error": "busy"}, headers={"retry-after": "2"}
    )
    with pytest.raises(PredictorError) as caught:
        await predictor().ask(b"{}", {})
    assert caught.value.status == 503
    assert str(caught.value) == f"The predictor {HOST} answered 503: busy"
    assert caught.value.headers == (("retry-after", "2"),)


async def test_a_refused_connection_is_tried_again(predictor: Make, asked: Asked) -> None:
    def starting(request: httpx.Request) -> httpx.Response:
        if len(asked.requests) < 3:
            raise httpx.ConnectError("Connection refused")
        return httpx.Response(200, json={"predictions": [1]})

    asked.answers[HOST] = starting
    assert await predictor().ask(b"{}", {}) == {"predictions": [1]}
    assert len(asked.requests) == 3


@pytest.mark.parametrize(
    ("error", "times"),
    [(httpx.ConnectError("Connection refused"), 2), (httpx.ReadError("reset"), 1)],
)
async def test_what_may_have_arrived_is_not_sent_twice(
    predictor: Make, asked: Asked, error: httpx.HTTPError, times: int
) -> None:
    def failing(request: httpx.Request) -> httpx.Response:
        raise error

    asked.answers[HOST] = failing
    with pytest.raises(UnreachableError, match=HOST) as caught:
        await predictor(retries=1).ask(b"{}", {})
    assert caught.value.status == 502
    assert len(asked.requests) == times


@pytest.mark.parametrize("body", [b"<html>", b"[1]"])
async def test_an_answer_that_is_no_json_object_is_a_502(
    predictor: Make, asked: Asked, body: bytes
) -> None:
    asked.answers[HOST] = lambda _: httpx.Response(200, content=body)
    with pytest.raises(UnreachableError, match="something else than JSON"):
        await predictor().ask(b"{}", {})


async def test_the_clients_deadline_ends_the_waiting(predictor: Make, asked: Asked) -> None:
    never = asyncio.Event()

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await never.wait()
            raise AssertionError

    settings = predictor()._settings
    silent = HttpPredictor(settings, transport=Silent())
    with pytest.raises(DeadlineError, match=HOST) as caught:
        await silent.ask(b"{}", {}, deadline=asyncio.get_running_loop().time() + 0.02)
    assert isinstance(caught.value, RequestError)
    assert caught.value.status == 504
    await silent.close()


@pytest.mark.parametrize(
    ("protocol", "explain", "path"),
    [
        ("v1", False, "/v1/models/iris:predict"),
        ("v1", True, "/v1/models/iris:explain"),
        ("v2", False, "/v2/models/iris/infer"),
        ("v2", True, "/v2/models/iris/explain"),
    ],
)
async def test_paths(
    predictor: Make, asked: Asked, protocol: str, explain: bool, path: str
) -> None:
    await predictor(protocol).ask(b"{}", {}, explain=explain)
    assert asked.last.url.path == path
