"""A tiny model tokenized for and asked before any fork, so that no child pays for a first time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig

from predictors.huggingface.encoder import Encoder
from predictors.huggingface.loading import build
from predictors.openai.abilities import Adapted, Chats, Completes, Embeds, Reranks

__all__ = ["recognize", "rehearse"]

_ABILITIES: Final = (Adapted, Chats, Completes, Embeds, Reranks)


def rehearse() -> None:
    """Build and ask an encoder of two layers in memory, on one thread: a parent has no others."""
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "fine": 4, "day": 5}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(8)
    config = BertConfig(
        vocab_size=8,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    module = build("BertModel", config)
    module.load_state_dict({k: torch.ones_like(v) for k, v in module.state_dict().items()})
    ids = torch.tensor([tokenizer.encode("fine day").ids] * 2)
    with torch.inference_mode():
        for mask in (None, torch.ones_like(ids)):
            output = module(input_ids=ids, attention_mask=mask)
            torch.nn.functional.normalize(output.last_hidden_state.mean(dim=1)).numpy()


def recognize() -> None:
    """Ask of every encoder's class which protocols it has, for a parent that then forks.

    Python remembers the answers, which take a search through all classes of all libraries; each
    child would write to the pages of those.
    """
    for kind in Encoder.__subclasses__():
        model: object = kind.__new__(kind)
        for ability in _ABILITIES:
            isinstance(model, ability)
    isinstance("", Mapping)  # as logging does with the first argument of each message
