"""Completions and chat over HTTP."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import orjson
import pytest

COMPLETIONS = "/openai/v1/completions"
CHAT = "/openai/v1/chat/completions"


def completion(prompt: Any = "a b c", **more: Any) -> dict[str, Any]:
    """A body."""
    return {"model": "able", "prompt": prompt, **more}


def chat(text: Any = "a b c", **more: Any) -> dict[str, Any]:
    """A body."""
    return {"model": "able", "messages": [{"role": "user", "content": text}], **more}


CALL = "messages[0].tool_calls[0]"


def called(call: Any) -> dict[str, Any]:
    """A message in which the model called a tool."""
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def events(text: str) -> list[Any]:
    """The events' bodies; the last is [DONE]."""
    parts = [part.removeprefix("data: ") for part in text.split("\n\n") if part]
    assert parts.pop() == "[DONE]"
    return [orjson.loads(part) for part in parts]


@pytest.mark.parametrize("base", ["/openai/v1", "/v1"])
async def test_completions(client: httpx.AsyncClient, base: str) -> None:
    answer = await client.post(f"{base}/completions", json=completion())
    told = answer.json()
    assert answer.status_code == 200
    assert told["object"] == "text_completion"
    assert told["id"].startswith("cmpl-")
    assert told["choices"] == [
        {"index": 0, "text": "c b a ", "logprobs": None, "finish_reason": "stop"}
    ]
    assert told["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}


async def test_chat(client: httpx.AsyncClient) -> None:
    told = (await client.post(CHAT, json=chat())).json()
    assert told["object"] == "chat.completion"
    message = {"role": "assistant", "content": "c b a ", "refusal": None}
    assert told["choices"] == [
        {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    ]


async def test_all_settings_reach_the_model(client: httpx.AsyncClient, model: Any) -> None:
    body = chat(
        [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}],
        temperature=0.5,
        top_p=0.9,
        top_k=-1,
        seed=3,
        stop=["x", "y"],
        presence_penalty=0.1,
        frequency_penalty=-0.1,
        logprobs=True,
        top_logprobs=2,
        max_completion_tokens=9,
        n=2,
        chat_template_kwargs={"thinking": False},
    )
    told = (await client.post(CHAT, json=body)).json()
    (messages, sampling, adapter, template), (_, second, _, _) = model.asked
    assert messages[0]["content"] == "a b"
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.5, 0.9, 0)
    assert (sampling.seed, second.seed, sampling.max_tokens) == (3, 4, 9)
    assert (sampling.stop, sampling.logprobs) == (("x", "y"), 2)
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (0.1, -0.1)
    assert (adapter, template) == (None, {"thinking": False})
    assert [choice["index"] for choice in told["choices"]] == [0, 1]
    entry = told["choices"][0]["logprobs"]["content"][0]
    assert (entry["token"], entry["bytes"], len(entry["top_logprobs"])) == ("b ", [98, 32], 2)
    assert told["usage"]["prompt_tokens"] == 2
    assert told["usage"]["completion_tokens"] == 4


async def test_several_prompts_echo_and_logprobs(client: httpx.AsyncClient) -> None:
    body = completion(["a b", "c d"], n=2, echo=True)
    told = (await client.post(COMPLETIONS, json=body)).json()
    assert [choice["text"] for choice in told["choices"]] == ["a b b a "] * 2 + ["c d d c "] * 2
    assert [choice["index"] for choice in told["choices"]] == [0, 1, 2, 3]
    assert told["usage"]["prompt_tokens"] == 4
    told = (await client.post(COMPLETIONS, json=completion(logprobs=1))).json()
    logprobs = told["choices"][0]["logprobs"]
    assert logprobs["tokens"] == ["c ", "b ", "a "]
    assert logprobs["text_offset"] == [0, 2, 4]
    assert logprobs["top_logprobs"][0] == {"c ": -0.5}


async def test_streamed_completions(client: httpx.AsyncClient) -> None:
    body = completion(stream=True, stream_options={"include_usage": True})
    answer = await client.post(COMPLETIONS, json=body)
    assert answer.headers["content-type"] == "text/event-stream"
    *chunks, usage = events(answer.text)
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["c ", "b ", "a "]
    assert [chunk["usage"] for chunk in chunks] == [None] * 3
    assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 6)


async def test_streamed_chat(client: httpx.AsyncClient) -> None:
    answer = await client.post(CHAT, json=chat(stream=True, n=2))
    chunks = events(answer.text)
    for index in range(2):
        own = [c["choices"][0] for c in chunks if c["choices"][0]["index"] == index]
        assert own[0]["delta"] == {"role": "assistant", "content": ""}
        assert "".join(choice["delta"].get("content", "") for choice in own) == "c b a "
        assert [choice["finish_reason"] for choice in own][-2:] == [None, "stop"]
    assert all("usage" not in chunk for chunk in chunks)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


async def test_templates_get_the_arguments_of_tools_as_objects(
    client: httpx.AsyncClient, model: Any
) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    told = {"role": "tool", "tool_call_id": "c1", "content": "2"}
    tools = [{"type": "function", "function": {"name": "add"}}]
    body = {"model": "able", "messages": [called(call), told], "tools": tools}
    assert (await client.post(CHAT, json=body)).status_code == 200
    [(messages, _, _, template)] = model.asked
    assert messages[0]["content"] == ""
    assert messages[0]["tool_calls"][0]["function"] == {"name": "add", "arguments": {"a": 1}}
    assert messages[1] == told
    assert template == {"tools": tools}


async def test_adapters_are_models(client: httpx.AsyncClient, model: Any) -> None:
    told = (await client.post(CHAT, json=chat() | {"model": "able-lora"})).json()
    assert told["model"] == "able-lora"
    assert model.asked[0][2] == "able-lora"


@pytest.mark.parametrize(
    ("path", "body", "status", "param", "reason"),
    [
        (CHAT, chat() | {"model": "nobody"}, 404, None, "'nobody' does not exist; there are able"),
        (CHAT, {"messages": []}, 400, "model", "the name of a model"),
        (CHAT, {"model": "able"}, 400, "messages", "a list of messages"),
        (CHAT, {"model": "able", "messages": [{}]}, 400, "messages[0]", "a role"),
        (CHAT, chat([{"type": "image_url"}]), 400, "messages[0].content[0]", "type text"),
        (CHAT, chat(top_logprobs=2), 400, "top_logprobs", "logprobs must be true"),
        (CHAT, chat(response_format={"type": "json_object"}), 400, "response_format", "not served"),
        (CHAT, chat(temperature=3), 400, "temperature", "3 is not between 0.0 and 2.0"),
        (CHAT, chat(stop=[""]), 400, "stop", "not empty"),
        (CHAT, chat(n="2"), 400, "n", "a whole number is expected"),
        (CHAT, chat(n=9), 400, "n", "9 texts are asked for .* makes up to 8 of one request"),
        (CHAT, chat(min_p=0.1), 400, "min_p", "not served"),
        (CHAT, chat(guided_json={"type": "object"}), 400, "guided_json", "not served"),
        (CHAT, chat(functions=[{"name": "f"}]), 400, "functions", "not served"),
        (CHAT, chat(tool_choice="required"), 400, "tool_choice", "'required' is not served"),
        (CHAT, chat(modalities=["audio"]), 400, "modalities", "not served"),
        (CHAT, {"model": "able", "messages": [called(1)]}, 400, CALL, "function"),
        (
            CHAT,
            {"model": "able", "messages": [called({"function": {"arguments": "{"}})]},
            400,
            f"{CALL}.function.arguments",
            "no JSON",
        ),
        (CHAT, chat(stream_options={}) | {"stream_options": {"a": 1}}, 400, "stream_options", "st"),
        (COMPLETIONS, completion(None), 400, "prompt", "a string"),
        (COMPLETIONS, completion([1, "a"]), 400, "prompt", "mixes"),
        (COMPLETIONS, completion(["a"] * 3, n=3), 400, "prompt", "9 texts are asked for"),
        (COMPLETIONS, completion(best_of=2), 400, "best_of", "2 is not served"),
        (COMPLETIONS, completion(suffix="x"), 400, "suffix", "not served"),
        (COMPLETIONS, completion(max_tokens=0), 400, "max_tokens", "at least 1"),
        (COMPLETIONS, completion(logit_bias={"1": 1}), 400, "logit_bias", "not served"),
        (COMPLETIONS, completion("long"), 400, None, "the context is 8"),
        (COMPLETIONS, completion("full"), 503, None, "5 texts wait"),
        (COMPLETIONS, completion("full", stream=True), 503, None, "5 texts wait"),
        (COMPLETIONS, completion("a fail b"), 500, None, "The engine failed"),
    ],
)
async def test_errors_are_openais(
    client: httpx.AsyncClient, path: str, body: Any, status: int, param: str | None, reason: str
) -> None:
    answer = await client.post(path, json=body)
    error = answer.json()["error"]
    assert answer.status_code == status
    assert error["param"] == param
    assert re.search(reason, error["message"])
    assert error["type"] == ("invalid_request_error" if status < 500 else "server_error")
    if status == 503:
        assert answer.headers["retry-after"] == "1"


async def test_an_error_on_the_way_is_an_event(client: httpx.AsyncClient) -> None:
    answer = await client.post(COMPLETIONS, json=completion("a fail b", stream=True))
    first, last = events(answer.text)
    assert first["choices"][0]["text"] == "b "
    assert last["error"]["message"] == "The engine failed."


@pytest.mark.parametrize("n", [1, 2])
async def test_an_unforeseen_error_ends_the_answer(client: httpx.AsyncClient, n: int) -> None:
    answer = await client.post(COMPLETIONS, json=completion("a crash b", n=n))
    assert answer.status_code == 500
    answer = await client.post(COMPLETIONS, json=completion("a crash b", n=n, stream=True))
    *_, last = events(answer.text)
    assert last["error"]["type"] == "server_error"


async def test_broken_json_is_told(client: httpx.AsyncClient) -> None:
    answer = await client.post(CHAT, content=b"{")
    assert answer.status_code == 400
    assert "not valid JSON" in answer.json()["error"]["message"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_deadline_ends_the_text(
    client: httpx.AsyncClient, model: Any, stream: bool
) -> None:
    model.held = True
    headers = {"x-request-timeout-ms": "50"}
    answer = await client.post(COMPLETIONS, json=completion(stream=stream), headers=headers)
    error = events(answer.text)[0]["error"] if stream else answer.json()["error"]
    assert error["code"] == "timeout"
    assert answer.status_code == (200 if stream else 504)
    assert model.made[0].closed.is_set()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_goes_frees_its_text(
    client: httpx.AsyncClient, model: Any, stream: bool
) -> None:
    model.held = True
    asking = asyncio.create_task(client.post(COMPLETIONS, json=completion(stream=stream)))
    async with asyncio.timeout(20):
        await model.begun.wait()
        asking.cancel()
        await model.made[0].closed.wait()


async def test_requests_are_counted(client: httpx.AsyncClient) -> None:
    await client.post(COMPLETIONS, json=completion())
    await client.post(COMPLETIONS, json=completion(stream=True))
    await client.post(COMPLETIONS, json=completion("full"))
    await client.post(COMPLETIONS, json=completion(temperature=9))
    await client.post("/v1/embeddings", json={"model": "able", "input": []})
    text = (await client.get("/metrics")).text
    assert re.search(r'^model_infer_request_success_total{model="able".*} 2$', text, re.MULTILINE)
    assert re.search(r'^request_failures_total{.*status="503".*} 1$', text, re.MULTILINE)
    assert re.search(r'^request_failures_total{.*status="400".*} 2$', text, re.MULTILINE)
