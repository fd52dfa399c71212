"""Tiny models of random weights, as folders and as modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from predictors.huggingface.generation.continuous import ContinuousEngine
from predictors.huggingface.generation.runner import Runner
from predictors.huggingface.generation.settings import GenerationSettings
from predictors.pytorch.device import Device

VOCABULARY = 260
CONTEXT = 128
TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools here') }}"
    "{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A token a byte: characters beyond ASCII take several."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {"<pad>": 0, "</s>": 1, **{word: 2 + index for index, word in enumerate(alphabet)}}
    made = Tokenizer(BPE(vocab=words, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", model_max_length=CONTEXT
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def _common(**more: Any) -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY,
        "eos_token_id": 1,
        "bos_token_id": 1,
        "pad_token_id": 0,
        **more,
    }


_WIDE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
}
_KINDS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**_common(**_WIDE))),
    "window": lambda: transformers.MistralForCausalLM(
        transformers.MistralConfig(**_common(**_WIDE, sliding_window=8))
    ),
    "mistral": lambda: transformers.MistralForCausalLM(
        transformers.MistralConfig(**_common(**_WIDE, sliding_window=None))
    ),
    "qwen2": lambda: transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**_common(**_WIDE))),
    "opt": lambda: transformers.OPTForCausalLM(
        transformers.OPTConfig(
            **_common(
                hidden_size=32,
                ffn_dim=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT,
                word_embed_proj_dim=32,
            )
        )
    ),
    "neox": lambda: transformers.GPTNeoXForCausalLM(
        transformers.GPTNeoXConfig(
            **_common(
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=CONTEXT,
            )
        )
    ),
    "gpt2": lambda: transformers.GPT2LMHeadModel(
        transformers.GPT2Config(**_common(n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT))
    ),
    "bloom": lambda: transformers.BloomForCausalLM(
        transformers.BloomConfig(**_common(hidden_size=32, n_layer=2, n_head=4))
    ),
    "t5": lambda: transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            **_common(
                d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0
            )
        )
    ),
}


def module_of(kind: str) -> PreTrainedModel:
    """A module of random weights, large enough that its texts are not one letter."""
    torch.manual_seed(7)
    model: Any = _KINDS[kind]()
    model.eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)
    assert isinstance(model, PreTrainedModel)
    return model


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny models are slower on several threads; and nothing looks for a hub."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROUSE_THREADS", "1")
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return byte_tokenizer()


@pytest.fixture(scope="session")
def module() -> Callable[[str], PreTrainedModel]:
    """Modules by kind, each made once."""
    made: dict[str, PreTrainedModel] = {}

    def of(kind: str) -> PreTrainedModel:
        return made.get(kind) or made.setdefault(kind, module_of(kind))

    return of


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders by kind, each made once."""
    root = tmp_path_factory.mktemp("generation")

    def of(kind: str) -> Path:
        path = root / kind
        if not path.exists():
            module_of(kind).save_pretrained(path)
            byte_tokenizer().save_pretrained(path)
        return path

    return of


MakeEngine = Callable[..., ContinuousEngine]


@pytest.fixture
def engine(
    module: Callable[[str], PreTrainedModel], tokenizer: PreTrainedTokenizerFast
) -> Iterator[MakeEngine]:
    """Engines of a kind of module, closed at the end."""
    made: list[ContinuousEngine] = []

    def of(
        kind: str = "llama", ends: Sequence[int] = (), runner: Any = None, **bounds: Any
    ) -> ContinuousEngine:
        device = Device("cpu")
        begun = ContinuousEngine(
            kind,
            runner or Runner(module(kind), device),
            tokenizer,
            frozenset(ends),
            GenerationSettings(**bounds),
            device,
            entropy=lambda: 0,
        )
        made.append(begun)
        return begun

    yield of
    for each in made:
        each.close()
