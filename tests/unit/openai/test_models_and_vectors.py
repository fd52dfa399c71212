"""Models, embeddings and rerank over HTTP."""

from __future__ import annotations

import re
import socket
from base64 import b64decode
from typing import Any

import httpx
import numpy as np
import pytest
from jsonschema import Draft202012Validator

from predictors.openai.service import OpenAI
from predictors.serving.application import Application
from predictors.serving.dataplane import DataPlane
from predictors.serving.listener import Listener
from predictors.serving.model import Model
from predictors.serving.router import Router
from predictors.serving.settings import Limits, PlaneSettings
from predictors.serving.tensors import Tensor

EMBEDDINGS = "/openai/v1/embeddings"
RERANK = "/openai/v1/rerank"


async def test_models_and_adapters_are_listed(client: httpx.AsyncClient) -> None:
    told = (await client.get("/openai/v1/models")).json()
    assert told["object"] == "list"
    assert [(each["id"], each.get("parent")) for each in told["data"]] == [
        ("able", None),
        ("able-lora", "able"),
    ]
    one = (await client.get("/openai/v1/models/able-lora")).json()
    assert one == told["data"][1]
    assert (await client.get("/v1/models")).json() == {"models": ["able"]}


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "models/nobody", "The model 'nobody' does not exist; there are able."),
        ("GET", "models/no%20body", "The model 'no body' does not exist"),
        ("POST", "responses", "POST /openai/v1/responses is not served here; .* chat/completions"),
        ("GET", "files", "GET /openai/v1/files is not served here"),
    ],
)
async def test_what_is_not_served_is_told_in_openais_form(
    client: httpx.AsyncClient, method: str, path: str, told: str
) -> None:
    answer = await client.request(method, f"/openai/v1/{path}")
    assert answer.status_code == 404
    assert re.search(told, answer.json()["error"]["message"])


async def test_embeddings(client: httpx.AsyncClient) -> None:
    body = {"model": "able", "input": ["four", "two words"]}
    told = (await client.post(EMBEDDINGS, json=body)).json()
    assert [each["embedding"] for each in told["data"]] == [[4.0, 0.5], [9.0, 0.5]]
    assert [each["index"] for each in told["data"]] == [0, 1]
    assert told["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert 'vllm:prompt_tokens_total{model_name="able"} 3' in (await client.get("/metrics")).text
    short = {"model": "able", "input": "four", "encoding_format": "base64", "dimensions": 2}
    told = (await client.post("/v1/embeddings", json=short)).json()
    vector = np.frombuffer(b64decode(told["data"][0]["embedding"]), "<f4")
    assert vector.tolist() == [4.0, 0.5]


@pytest.mark.parametrize("given", [[5, 6, 7], [[5, 6, 7]]])
async def test_embeddings_of_tokens(client: httpx.AsyncClient, given: Any) -> None:
    told = (await client.post(EMBEDDINGS, json={"model": "able", "input": given})).json()
    assert [each["embedding"] for each in told["data"]] == [[3.0, 0.5]]
    assert told["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


async def test_the_documentation_has_examples_that_work(client: httpx.AsyncClient) -> None:
    told = (await client.get("/openapi.json")).json()
    page = (await client.get("/v2/models/able/docs")).text
    found = []
    for path, methods in told["paths"].items():
        if not path.startswith("/openai/"):
            continue
        if "get" in methods:
            schema = methods["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            Draft202012Validator(schema).validate((await client.get(path)).json())
            found.append(path.removeprefix("/openai/v1/"))
            continue
        [content] = methods["post"]["requestBody"]["content"].values()
        example = content["examples"]["able"]["value"]
        Draft202012Validator.check_schema(content["schema"])
        Draft202012Validator(content["schema"]).validate(example)
        answer = await client.post(path, json=example)
        assert answer.status_code == 200, answer.text
        responses = methods["post"]["responses"]
        body = responses["200"]["content"]["application/json"]["schema"]
        Draft202012Validator(body).validate(answer.json())
        error = responses["4XX"]["content"]["application/json"]["schema"]
        Draft202012Validator(error).validate((await client.post(path, json={})).json())
        assert f'data-url="{path}"' in page
        found.append(path.removeprefix("/openai/v1/"))
    assert found == ["models", "completions", "chat/completions", "embeddings", "rerank"]


async def test_rerank(client: httpx.AsyncClient) -> None:
    documents = ["no", {"text": "a cat"}, "cats"]
    body = {"model": "able", "query": "cat", "documents": documents, "top_n": 2}
    told = (await client.post(RERANK, json=body)).json()
    for path in ("/v1/rerank", "/v2/rerank"):
        assert (await client.post(path, json=body)).json()["results"] == told["results"]
    assert told["results"] == [
        {"index": 1, "relevance_score": 1.0, "document": {"text": "a cat"}},
        {"index": 2, "relevance_score": 1.0, "document": {"text": "cats"}},
    ]
    told = (await client.post(RERANK, json=body | {"return_documents": False})).json()
    assert "document" not in told["results"][0]


@pytest.mark.parametrize(
    ("path", "more", "param"),
    [
        (EMBEDDINGS, {}, "input"),
        (EMBEDDINGS, {"input": []}, "input"),
        (EMBEDDINGS, {"input": ["a", ""]}, "input[1]"),
        (EMBEDDINGS, {"input": [[1, 2], []]}, "input[1]"),
        (EMBEDDINGS, {"input": [[1, 2], "a"]}, "input[1]"),
        (EMBEDDINGS, {"input": [1, True]}, "input[0]"),
        (EMBEDDINGS, {"input": ["a"] * 2049}, "input"),
        (EMBEDDINGS, {"input": "a", "encoding_format": "int8"}, "encoding_format"),
        (EMBEDDINGS, {"input": "a", "dimensions": 0}, "dimensions"),
        (RERANK, {"documents": ["a"]}, "query"),
        (RERANK, {"query": "a"}, "documents"),
        (RERANK, {"query": "a", "documents": ["a"], "top_n": 0}, "top_n"),
    ],
)
async def test_wrong_fields_are_named(
    client: httpx.AsyncClient, path: str, more: dict[str, Any], param: str
) -> None:
    answer = await client.post(path, json={"model": "able", **more})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


class Plain(Model):
    """A model without any ability."""

    def load(self) -> None:
        """Nothing to load."""

    def predict(self, inputs: Any, wanted: Any) -> list[Tensor]:
        """Nothing."""
        return []


class Embedding(Plain):
    """One that only embeds."""

    async def embed(self, texts: Any) -> Any:
        """Not asked."""


async def test_a_model_is_asked_for_what_it_can() -> None:
    plane = DataPlane(["plain"])
    assert OpenAI(plane).routes(Plain("plain")) == []
    plane.publish(Embedding("vectors"))
    routes = {route.path: route for route in OpenAI(plane).routes(Embedding("vectors"))}
    from predictors.serving.routes import HttpRequest

    path = "/openai/v1/chat/completions"
    body = b'{"model": "vectors", "messages": [{"role": "user", "content": "x"}]}'
    answer = await routes[path].handle(HttpRequest("POST", path, "", {}, body))
    assert answer.status == 400
    assert b"model: model vectors does not chat; it answers embeddings." in answer.body


async def test_a_full_server_refuses_in_openais_form(model: Any) -> None:
    plane = DataPlane([model.name], settings=PlaneSettings(limits=Limits(in_flight=0)))
    sock = socket.create_server(("127.0.0.1", 0))
    listener = Listener(Application(plane, Router(plane, {"name": "test"})), sock)
    plane.publish(model)
    listener.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}") as http:
        answer = await http.post("/openai/v1/embeddings", json={"model": "able", "input": "x"})
    await listener.drain(5)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["error"]["code"] == "overloaded"
    assert answer.json()["error"]["type"] == "server_error"
