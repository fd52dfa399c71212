"""A folder of a causal model, asked by V1, V2, its generate extension, and by its abilities."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from predictors.huggingface import generation
from predictors.huggingface.generation import GenerationModel, GenerationSettings
from predictors.openai.abilities import Generation, Sampling
from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import DeadlineError, InvalidInputError, ModelLoadError, StartupError
from predictors.serving.inference import InferenceRequest
from predictors.serving.openapi import document
from predictors.serving.router import Router
from predictors.serving.routes import HttpRequest, Route
from predictors.serving.tensors import Tensor

GREEDY = Sampling(temperature=0, max_tokens=6)


@pytest.fixture
async def model(folder: Callable[[str], Path]) -> AsyncIterator[GenerationModel]:
    made = GenerationModel("writer", folder("llama"), env={})
    made.load()
    yield made
    made.unload()


async def _text(generation: Generation) -> str:
    return "".join([piece.text async for piece in generation])


def _v1(rows: object, **parameters: Any) -> InferenceRequest:
    return InferenceRequest((), payload={"instances": rows, "parameters": parameters})


def _v2(*texts: str, **parameters: Any) -> InferenceRequest:
    array = np.array(texts, dtype=object)
    return InferenceRequest([Tensor("text", array)], parameters=parameters)


async def test_all_protocols_tell_the_same_text(model: GenerationModel) -> None:
    text = await _text(await model.complete("Hello", GREEDY))
    assert text
    answer = await model.infer(_v1(["Hello", {"prompt": "Hello"}], max_new_tokens=6))
    assert answer.payload == {"predictions": [text, text]}
    answer = await model.infer(_v2("Hello", max_tokens=6))
    assert answer.outputs[0].array.tolist() == [text]
    parts = [part async for part in model.stream(_v2("Hello", max_tokens=6))]
    assert "".join(part.outputs[0].array[0] for part in parts) == text
    assert parts[-1].parameters["finish_reason"] in ("length", "stop")


async def test_the_generate_extension(model: GenerationModel) -> None:
    whole, parts = (route for route in model.routes())
    body = {"text_input": "Hello", "parameters": {"max_new_tokens": 6}}
    request = HttpRequest("POST", whole.path, "", {}, orjson.dumps(body))
    told = orjson.loads((await whole.handle(request)).body)
    assert told["parameters"]["prompt_tokens"] == 5
    assert whole.path == "/v2/models/writer/generate"
    answer = await parts.handle(request)
    assert answer.stream is not None
    events = [orjson.loads(event.removeprefix(b"data: ")) async for event in answer.stream]
    assert "".join(event["text_output"] for event in events) == told["text_output"]
    assert events[-1]["parameters"] == told["parameters"]


async def test_the_generate_extension_keeps_its_deadline(model: GenerationModel) -> None:
    body = orjson.dumps({"text_input": "Hello", "parameters": {"max_new_tokens": 60}})
    late = {"x-request-timeout-ms": "0"}
    whole, parts = model.routes()
    with pytest.raises(DeadlineError, match="writer"):
        await whole.handle(HttpRequest("POST", whole.path, "", late, body))
    answer = await parts.handle(HttpRequest("POST", parts.path, "", late, body))
    assert answer.stream is not None
    with pytest.raises(DeadlineError, match="writer"):
        await anext(answer.stream)


async def test_tokens_and_echo(model: GenerationModel, tokenizer: Any) -> None:
    ids = tokenizer("Hello")["input_ids"]
    text = await _text(await model.complete("Hello", GREEDY))
    assert await _text(await model.complete(ids, GREEDY, echo=True)) == "Hello" + text
    with pytest.raises(InvalidInputError, match="token 999"):
        await model.complete([999], GREEDY)


async def test_chat_follows_the_template(model: GenerationModel) -> None:
    chat = await model.chat([{"role": "user", "content": "Hi"}], GREEDY)
    assert chat.prompt_tokens == len("<user>Hi<assistant>")
    assert await _text(chat) == await _text(await model.complete("<user>Hi<assistant>", GREEDY))
    with pytest.raises(InvalidInputError, match="no tools here"):
        await model.chat([{"role": "tool", "content": "1"}], GREEDY)
    endless = {"chat_template": "{% for i in range(10**9) %}{% endfor %}"}
    with pytest.raises(InvalidInputError, match=r"chat_template_kwargs\.chat_template"):
        await model.chat([{"role": "user", "content": "Hi"}], GREEDY, template=endless)


async def test_a_stop_string_ends_the_text(model: GenerationModel) -> None:
    text = await _text(await model.complete("Hello", Sampling(temperature=0, max_tokens=30)))
    stop = text[4:7]
    stopped = Sampling(temperature=0, max_tokens=30, stop=(stop,))
    assert await _text(await model.complete("Hello", stopped)) == text[: text.index(stop)]


@pytest.mark.parametrize(
    ("prompt", "sampling", "reason"),
    [
        ("", GREEDY, "prompt is empty"),
        ("x" * 128, GREEDY, "The prompt has 128 tokens; the context of model writer is 128"),
        ("x" * 125, GREEDY, "max_tokens is 6, and the prompt has 125 tokens.*At most 3 are left"),
    ],
)
async def test_what_does_not_fit_the_context(
    model: GenerationModel, prompt: str, sampling: Sampling, reason: str
) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        await model.complete(prompt, sampling)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"temperature": "hot"}, "parameters.temperature must be a number from 0 to 100"),
        ({"max_tokens": 0}, "parameters.max_tokens must be a whole number of at least 1"),
        ({"stop": [1]}, "parameters.stop must be a text"),
        ({"do_sample": 1}, "parameters.do_sample"),
        ({"seed": 1.5}, "parameters.seed"),
        ({"adapter": 3}, "parameters.adapter"),
        ({"num_beams": 4}, "parameters.num_beams is not known here. Known: max_tokens"),
    ],
)
async def test_wrong_parameters_are_named(
    model: GenerationModel, parameters: Mapping[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        await model.infer(_v2("x", **parameters))


async def test_wrong_texts_are_named(model: GenerationModel) -> None:
    with pytest.raises(InvalidInputError, match=r"instances\[1\] must be a text"):
        await model.infer(_v1(["x", 3]))
    with pytest.raises(InvalidInputError, match="has 257 texts; model writer takes up to 256"):
        await model.infer(_v1(["x"] * 257))
    with pytest.raises(InvalidInputError, match="exactly one text"):
        await anext(aiter(model.stream(_v2("x", "y"))))


async def test_a_model_without_a_template_does_not_chat(
    model: GenerationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model._made is not None
    monkeypatch.setattr(model._made.tokenizer, "chat_template", None)
    with pytest.raises(InvalidInputError, match="no chat template"):
        await model.chat([{"role": "user", "content": "Hi"}], GREEDY)


def test_settings_come_from_the_environment() -> None:
    settings = GenerationSettings.of({"ROUSE_GENERATION_MAX_BATCH": "3"})
    assert (settings.max_batch, settings.engine) == (3, "auto")
    with pytest.raises(StartupError, match="ROUSE_GENERATION_MAX_WAITING must be a whole number"):
        GenerationSettings.of({"ROUSE_GENERATION_MAX_WAITING": "many"})
    with pytest.raises(StartupError, match="ROUSE_GENERATION_ENGINE"):
        GenerationSettings.of({"ROUSE_GENERATION_ENGINE": "magic"})


def test_a_folder_without_a_tokenizer_is_refused(
    folder: Callable[[str], Path], tmp_path: Path
) -> None:
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).write_bytes((folder("llama") / file).read_bytes())
    with pytest.raises(ModelLoadError, match="tokenizer"):
        GenerationModel("bare", tmp_path, env={}).load()


async def test_encoder_decoders_answer_as_generate_does(
    folder: Callable[[str], Path], module: Callable[[str], Any], tokenizer: Any
) -> None:
    import torch

    made = GenerationModel("summary", folder("t5"), env={})
    made.load()
    try:
        texts = ["Hello there", "A longer text than that", "x"]
        told = (await made.infer(_v1(texts, max_new_tokens=8))).payload
        for text, answer in zip(texts, told["predictions"], strict=True):  # type: ignore[index]
            with torch.inference_mode():
                wanted = module("t5").generate(
                    **tokenizer(text, return_tensors="pt", return_token_type_ids=False),
                    max_new_tokens=8,
                    do_sample=False,
                )
            assert answer == tokenizer.decode(wanted[0], skip_special_tokens=True)
        chance = [
            await _text(await made.complete("Hello", Sampling(seed=seed, max_tokens=8)))
            for seed in (3, 3, 4)
        ]
        assert chance[0] == chance[1] != chance[2]
        unseeded = {
            await _text(await made.complete("Hello", Sampling(max_tokens=8))) for _ in "abc"
        }
        assert len(unseeded) > 1
        ignoring = Sampling(temperature=0, max_tokens=60, ignore_eos=True)
        [piece] = [piece async for piece in await made.complete("Hello", ignoring)]
        assert (piece.tokens, piece.finish) == (60, "length")
        with pytest.raises(InvalidInputError, match="encoder-decoder"):
            await made.complete("x", Sampling(logprobs=1))
    finally:
        made.unload()


async def test_an_encoder_decoder_stops_when_nobody_waits(folder: Callable[[str], Path]) -> None:
    made = GenerationModel("summary", folder("t5"), env={})
    made.load()
    try:
        endless = Sampling(temperature=0, max_tokens=128)
        engine: Any = made._loaded().engine
        job = made._job([5], endless, None, "")
        stream = engine.submit(job)
        stream.close()
        [piece] = engine._made([(job, stream)])
        assert piece.tokens <= 2
    finally:
        made.unload()


async def test_texts_are_counted_by_vllms_names(folder: Callable[[str], Path]) -> None:
    made = GenerationModel("counted", folder("llama"), env={"ROUSE_GENERATION_MAX_BATCH": "1"})
    plane = DataPlane([made.name])
    router = Router(plane, {})
    made.load()
    plane.publish(made)

    def told(sample: str) -> float:
        text = plane.metrics.text().decode()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if sample in line)

    whole = router.target("POST", "/v2/models/counted/generate")
    assert isinstance(whole, Route)
    names = '{model_name="counted"}'
    try:
        documented = document([made], described=router._described)["paths"]
        assert {whole.path, f"{whole.path}_stream", "/openai/v1/completions"} <= set(documented)
        body = {"text_input": "Hello", "parameters": {"max_new_tokens": 6, "temperature": 0.0}}
        request = HttpRequest("POST", whole.path, "", {}, orjson.dumps(body))
        used = orjson.loads((await whole.handle(request)).body)["parameters"]["completion_tokens"]
        assert told(f"vllm:prompt_tokens_total{names}") == 5
        assert told(f"vllm:generation_tokens_total{names}") == used
        assert told(f"vllm:time_to_first_token_seconds_count{names}") == 1
        assert told(f"vllm:inter_token_latency_seconds_count{names}") == used - 1
        assert told(f"vllm:e2e_request_latency_seconds_count{names}") == 1
        assert told('model_infer_request_success_total{model="counted"') == 1
        with pytest.raises(InvalidInputError):
            await whole.handle(request._replace(body=b"{}"))
        assert told('request_failures_total{model_name="counted",status="400"') == 1
        endless = Sampling(max_tokens=100, ignore_eos=True)
        first = await made.complete("Hello", endless)
        await anext(aiter(first))
        second = await made.complete("Hello", endless)
        assert told(f"vllm:num_requests_running{names}") == 1
        assert told(f"vllm:num_requests_waiting{names}") == 1
        assert told(f"vllm:kv_cache_usage_perc{names}") == pytest.approx(105 / 65536)
        readme = Path(generation.__file__).with_name("README.md").read_text()
        text = plane.metrics.text().decode()
        for name in re.findall(r"^# TYPE (vllm:\S+)", text, re.MULTILINE):
            assert f"`{name}`" in readme
        first.close()
        second.close()
        assert told('vllm:request_success_total{model_name="counted",finished_reason="abort"') == 2
    finally:
        made.unload()
    assert not told('vllm:generation_tokens_total{model_name="counted"')


async def test_words_that_the_model_does_not_know(
    folder: Callable[[str], Path], tokenizer: Any, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    shutil.copytree(folder("llama"), path)
    grown = copy.deepcopy(tokenizer)
    grown.add_tokens(["alpha", "beta", "gamma"])
    grown.save_pretrained(path)
    made = GenerationModel("grown", path, env={})
    made.load()
    try:
        assert await _text(await made.complete("Hello", GREEDY))
        with pytest.raises(InvalidInputError, match="has the token 260, but model grown knows"):
            await made.complete("Hello gamma", GREEDY)
    finally:
        made.unload()
