"""Adapters made by PEFT, chosen per text, side by side in one batch."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, TaskType, get_peft_model
from transformers import PreTrainedModel

from predictors.huggingface.generation import GenerationModel
from predictors.huggingface.generation.adapters import load_adapters
from predictors.openai.abilities import Sampling
from predictors.serving.errors import InvalidInputError, ModelLoadError, ModelNotFoundError

GREEDY = Sampling(temperature=0, max_tokens=12, logprobs=0)
PROMPTS = ["Hello there", "A longer prompt than the other", "x"]
Module = Callable[[str], PreTrainedModel]


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:peft"),
]


@pytest.fixture(scope="module")
def adapted(folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder with two LoRA adapters and one that is a trained prompt."""
    path = tmp_path_factory.mktemp("adapted") / "model"
    shutil.copytree(folder("llama"), path)
    for seed, name in enumerate(("polite", "rude")):
        _save(path, name, LoraConfig(r=4, target_modules=["q_proj", "v_proj", "down_proj"]), seed)
    _save(path, "prompted", PromptTuningConfig(TaskType.CAUSAL_LM, num_virtual_tokens=5), 9)
    return path


def _save(path: Path, name: str, config: Any, seed: int) -> None:
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    made = get_peft_model(LlamaForCausalLM.from_pretrained(path), config)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.requires_grad:
                parameter.normal_(0, 0.3)
    made.save_pretrained(path / "adapters" / name)


@pytest.fixture
async def model(adapted: Path) -> AsyncIterator[GenerationModel]:
    made = GenerationModel("base", adapted, env={})
    made.load()
    yield made
    made.unload()


async def _told(model: GenerationModel, prompt: str, adapter: str | None) -> list[str]:
    generation = await model.complete(prompt, GREEDY, adapter=adapter)
    return [each.token async for piece in generation for each in piece.logprobs]


def _expected(path: Path, adapter: str | None, prompt: str, tokenizer: Any) -> list[str]:
    from transformers import LlamaForCausalLM

    module: Any = LlamaForCausalLM.from_pretrained(path)
    if adapter is not None:
        module = PeftModel.from_pretrained(module, path / "adapters" / adapter).eval()
    given = tokenizer(prompt, return_tensors="pt")
    with torch.inference_mode():
        made = module.generate(
            input_ids=given["input_ids"],
            attention_mask=given["attention_mask"],
            max_new_tokens=12,
            do_sample=False,
        )
    tokens: Sequence[int] = made[0, given["input_ids"].shape[1] :].tolist()
    if 1 in tokens:
        tokens = tokens[: list(tokens).index(1)]
    return [tokenizer.decode([token]) for token in tokens]


async def test_texts_of_a_mixed_batch_are_pefts(
    model: GenerationModel, adapted: Path, tokenizer: Any
) -> None:
    wanted = [
        (prompt, adapter) for prompt in PROMPTS for adapter in (None, "polite", "rude", "prompted")
    ]
    told = await asyncio.gather(*(_told(model, *each) for each in wanted))
    for (prompt, adapter), tokens in zip(wanted, told, strict=True):
        expected = _expected(adapted, adapter, prompt, tokenizer)
        assert tokens[: len(expected)] == expected, (prompt, adapter)
    assert len({tuple(tokens) for tokens in told[:4]}) == 4


async def test_adapters_of_an_encoder_decoder(
    folder: Callable[[str], Path], tokenizer: Any, tmp_path: Path
) -> None:
    from transformers import T5ForConditionalGeneration

    path = tmp_path / "t5"
    shutil.copytree(folder("t5"), path)
    module = T5ForConditionalGeneration.from_pretrained(path)
    config = LoraConfig(r=4, target_modules=["q", "v"], task_type=TaskType.SEQ_2_SEQ_LM)
    tuned: Any = get_peft_model(module, config)
    torch.manual_seed(3)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(0, 0.5)
    tuned.save_pretrained(path / "adapters" / "poet")
    model = GenerationModel("base", path, env={})
    model.load()
    try:
        greedy = Sampling(temperature=0, max_tokens=12)

        async def text(prompt: str, adapter: str | None) -> str:
            made = await model.complete(prompt, greedy, adapter=adapter)
            return "".join([piece.text async for piece in made])

        wanted = [(prompt, adapter) for prompt in PROMPTS for adapter in (None, "poet")]
        told = await asyncio.gather(*(text(*each) for each in wanted))
    finally:
        model.unload()
    for (prompt, adapter), got in zip(wanted, told, strict=True):
        given = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
        with torch.inference_mode():
            if adapter is None:
                with tuned.disable_adapter():
                    made = tuned.generate(**given, max_new_tokens=12, do_sample=False)
            else:
                made = tuned.generate(**given, max_new_tokens=12, do_sample=False)
        assert got == tokenizer.decode(made[0], skip_special_tokens=True), (prompt, adapter)
    assert told[0] != told[1]


async def test_names_are_told_and_checked(model: GenerationModel) -> None:
    assert model.adapters == ["polite", "prompted", "rude"]
    assert model.metadata_extra["adapters"] == ["polite", "prompted", "rude"]
    with pytest.raises(ModelNotFoundError, match="has no adapter nobody; it has polite"):
        await model.complete("x", GREEDY, adapter="nobody")


async def test_a_trained_prompt_counts_in_the_context(model: GenerationModel) -> None:
    long = Sampling(temperature=0, max_tokens=4)
    generation = await model.complete("x" * 124, long)
    generation.close()
    with pytest.raises(InvalidInputError, match="prompt has 129 tokens"):
        await model.complete("x" * 124, long, adapter="prompted")


def test_what_does_not_fit_is_told(module: Module, tmp_path: Path) -> None:
    path = tmp_path / "adapters" / "odd"
    path.mkdir(parents=True)
    (path / "adapter_config.json").write_bytes(orjson.dumps({"peft_type": "IA3"}))
    with pytest.raises(ModelLoadError, match="odd is of type IA3"):
        load_adapters(module("gpt2"), tmp_path)
    (path / "adapter_config.json").write_bytes(b"{}")
    with pytest.raises(ModelLoadError, match="no peft_type"):
        load_adapters(module("gpt2"), tmp_path)
    (path / "adapter_config.json").write_bytes(orjson.dumps({"peft_type": "PROMPT_TUNING"}))
    with pytest.raises(ModelLoadError, match="odd cannot be loaded"):
        load_adapters(module("gpt2"), tmp_path)


async def test_trained_prompts_at_fixed_shapes(
    adapted: Path, tokenizer: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "model"
    shutil.copytree(adapted, path)
    for lora in ("polite", "rude"):
        shutil.rmtree(path / "adapters" / lora)
    fixed = {"ROUSE_GENERATION_STEPS": "static"}
    model = GenerationModel("base", path, env=fixed)
    model.load()
    try:
        wanted = [(prompt, adapter) for prompt in PROMPTS for adapter in (None, "prompted")]
        told = await asyncio.gather(*(_told(model, *each) for each in wanted))
    finally:
        model.unload()
    for (prompt, adapter), tokens in zip(wanted, told, strict=True):
        expected = _expected(adapted, adapter, prompt, tokenizer)
        assert tokens[: len(expected)] == expected, (prompt, adapter)
    with caplog.at_level("INFO"):
        mixed = GenerationModel("base", adapted, env=fixed)
        mixed.load()
        mixed.unload()
    assert "model base steps at shapes that change: its rows have LoRA adapters" in caplog.text
